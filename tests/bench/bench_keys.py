"""Whether the time of a refusal tells how much of a secret was guessed right.

Wrong keys that share their first letters with a real one are looked up beside wrong keys that share
none, turn by turn; and tokens whose signature is wrong in its first letter beside such that are
wrong in a later one. Nothing here asserts a time: the differences are given with intervals, which
should hold zero.
"""

import base64
import secrets
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import click
import numpy as np

from shared.records import Records, migrate, sites
from shared.schemas.keys import Scope
from shared.settings import Settings
from tests.bench import machine, results
from web.keyring import KeyRing
from web.sessions import Claims, Sessions

_BEFORE: Final = 100


@click.command()
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for results.")
@click.option("--turns", default=20_000, show_default=True, help="Of each kind.")
def main(out: Path, turns: int) -> None:
    """Measure refusals, and print how they differ."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder))
        records = Records(settings.database)
        migrate.upgrade(records)
        try:
            found = {
                "keys": _keys(records, turns),
                "tokens": _tokens(settings, turns),
                "machine": machine.facts(),
            }
        finally:
            records.close()
    results.write(out / "keys.json", found)
    for name in ("keys", "tokens"):
        one = found[name]
        click.echo(
            f"{name}: median {one['median_us']:.1f} us; nearer guesses take "
            f"{one['difference_us']:+.3f} us longer (95%: {one['low_us']:+.3f} to "
            f"{one['high_us']:+.3f})"
        )


def _keys(records: Records, turns: int) -> Mapping[str, Any]:
    with records.transaction() as tx:
        site = sites.create(tx, "shop").id
        real = [sites.create_key(tx, site, name="x").secret for _ in range(50)]
    ring = KeyRing(records)
    return _compared(
        ring.by_secret,
        lambda: real[0][:-3] + secrets.token_urlsafe(16)[:3],
        lambda: "toile_" + secrets.token_urlsafe(32),
        turns,
    )


def _tokens(settings: Settings, turns: int) -> Mapping[str, Any]:
    sessions = Sessions(settings)
    claims = Claims(
        site_id="site_x",
        shopper_id="shop_x",
        key_id="key_x",
        scopes=(Scope.READ,),
        expires=sessions.expiry(3_600),
    )
    said, _, signature = sessions.token(claims).rpartition(".")
    right = base64.urlsafe_b64decode(signature + "=")

    def wrong(place: int) -> str:
        changed = bytearray(right)
        changed[place] ^= 1 + secrets.randbelow(255)
        return f"{said}.{base64.urlsafe_b64encode(bytes(changed)).decode().rstrip('=')}"

    return _compared(sessions.read, lambda: wrong(len(right) - 1), lambda: wrong(0), turns)


def _compared(
    ask: Callable[[str], object], near: Callable[[], str], far: Callable[[], str], turns: int
) -> Mapping[str, Any]:
    """Return how much longer near guesses take than far ones, in microseconds.

    Medians of blocks, so that a neighbour's burst of work weighs on a few of them alone.
    """
    took = np.empty((turns, 2))
    for turn in range(-_BEFORE, turns):
        order = (0, 1) if turn % 2 else (1, 0)
        for kind in order:
            guess = (near if kind == 0 else far)()
            began = time.perf_counter_ns()
            if ask(guess) is not None:
                message = "a wrong secret let somebody in"
                raise AssertionError(message)
            if turn >= 0:
                took[turn, kind] = (time.perf_counter_ns() - began) / 1_000
    blocks = np.array([np.median(one, axis=0) for one in np.array_split(took, max(turns // 50, 2))])
    differences = blocks[:, 0] - blocks[:, 1]
    mean, error = differences.mean(), differences.std(ddof=1) / np.sqrt(len(differences))
    return {
        "turns": turns,
        "median_us": float(np.median(took)),
        "difference_us": float(mean),
        "low_us": float(mean - 1.96 * error),
        "high_us": float(mean + 1.96 * error),
    }


if __name__ == "__main__":
    main()

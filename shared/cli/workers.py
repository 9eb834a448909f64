"""`toile workers`, `toile drain` and `toile health`: the workers of all hosts, and this one's."""

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from fnmatch import fnmatchcase
from typing import Final

import click

from shared.cli.output import json_option, print_json, print_table, say
from shared.errors import NotFoundError
from shared.queue.connection import connect
from shared.queue.drains import Drains
from shared.queue.names import Queue
from shared.queue.presence import Heard, Presence, Taking
from shared.queue.pulse import BEATS_SECONDS, Pulse
from shared.settings import load_settings

_POLL_SECONDS: Final = 0.5
_MINUTE: Final = 60


@click.command()
@json_option
def workers(*, as_json: bool) -> None:
    """List the workers of all hosts: what each takes, what it does now, when it was heard of.

    A worker says so every five seconds. `taking` is `work`, `draining`, or `drained`: nothing in
    hand, and nothing will be taken until `toile drain --undo`.
    """
    with _presence() as (presence, _):
        found = presence.everyone()
    if as_json:
        print_json([_as_json(one) for one in found])
        return
    rows = [
        (
            one.name,
            ",".join(one.offer.queues),
            one.offer.taking.value,
            "; ".join(_said(one)) or "-",
            "-" if one.age is None else f"{one.age:.0f} s ago",
        )
        for one in found
    ]
    columns = ("worker", "queues", "taking", "doing", "heard of")
    print_table(columns, rows, empty="No worker was heard of. Start some with `toile up`.")
    nobody = [queue.value for queue in Queue if not _takers(found, queue)]
    if found and nobody:
        say(f"Nobody takes from: {', '.join(nobody)}.")


@click.command()
@click.argument("names", nargs=-1, metavar="[WORKER]...")
@click.option("--all", "everyone", is_flag=True, help="All workers that are there.")
@click.option("--undo", is_flag=True, help="Let them take work again.")
@click.option("--wait", is_flag=True, help="Return once they have nothing in hand any more.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=300,
    show_default=True,
    help="Seconds after which --wait gives up; the exit code is 1 then.",
)
@json_option
def drain(
    names: tuple[str, ...],
    *,
    everyone: bool,
    undo: bool,
    wait: bool,
    timeout: float,
    as_json: bool,
) -> int:
    """Let workers finish what they have in hand and take no more; then they can be stopped.

    WORKER is a name as `toile workers` shows it, or a pattern: `'*@host-3'` is all of one host. A
    batch is finished; a training writes a checkpoint and goes back to the queue, where another
    worker goes on with it. A drained worker stays up and takes nothing, also when it is started
    again, until `--undo`.
    """
    if bool(names) is everyone:
        message = "Name workers, or say --all."
        raise click.UsageError(message)
    with _presence() as (presence, drains):
        chosen = _chosen(presence.everyone(), names or ("*",))
        (drains.undo if undo else drains.ask)(chosen)
        is_done = True
        if wait:
            is_done = _wait(presence, chosen, undo=undo, timeout=timeout, quiet=as_json)
        found = [one for one in presence.everyone() if one.name in chosen]
    if as_json:
        print_json([_as_json(one) for one in found])
    else:
        _tell(chosen, found, undo=undo, waited=wait)
    return 0 if is_done else 1


@click.group()
def health() -> None:
    """Say whether something on this machine lives; the exit code is 0 only if it does."""


@health.command()
@click.argument("name")
@click.option(
    "--within",
    type=click.FloatRange(min=0, min_open=True),
    default=BEATS_SECONDS,
    show_default=True,
    help="Seconds within which it must have said so.",
)
@json_option
def worker(name: str, within: float, *, as_json: bool) -> int:
    """Say whether a worker of this host lives, such as `train` or `train@host`.

    It reads a file that the worker writes every few seconds, and asks no Redis: a worker is well
    while Redis is away. A worker that lives but takes nothing ends by itself.
    """
    whole = name if "@" in name else f"{name}@{socket.gethostname()}"
    age = Pulse(load_settings(), whole).age()
    is_well = age is not None and age <= within
    if as_json:
        print_json({"worker": whole, "ok": is_well, "seconds": age})
    elif age is None:
        click.echo(f"{whole} does not run here, or was stopped.")
    else:
        click.echo(f"{whole} said {age:.0f} s ago that it lives.")
    return 0 if is_well else 1


@contextmanager
def _presence() -> Iterator[tuple[Presence, Drains]]:
    settings = load_settings()
    with closing(connect(settings)) as redis:
        yield Presence(redis, seconds=settings.worker_grace_seconds), Drains(redis)


def _chosen(found: Sequence[Heard], patterns: Sequence[str]) -> list[str]:
    known = [one.name for one in found]
    chosen = [name for name in known if any(fnmatchcase(name, each) for each in patterns)]
    lost = [
        each for each in patterns if each != "*" and not any(fnmatchcase(n, each) for n in known)
    ]
    if lost or not chosen:
        raise NotFoundError(
            f"No worker is called {', '.join(lost) or 'anything'}. There are: "
            f"{', '.join(known) or 'none'}. `toile workers` lists them."
        )
    return chosen


def _wait(
    presence: Presence, chosen: Sequence[str], *, undo: bool, timeout: float, quiet: bool
) -> bool:
    """Return whether all came to where they should be; one that is gone has drained."""
    deadline, shown = time.monotonic() + timeout, ""
    while True:
        found = {one.name: one for one in presence.everyone() if one.name in chosen}
        left = [one for one in found.values() if not _is_there(one.offer.taking, undo=undo)]
        if not left:
            return True
        told = "; ".join(f"{one.name}: {', '.join(_said(one)) or 'about to'}" for one in left)
        if told != shown and not quiet:
            shown = told
            say(f"Waiting for {told}")
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)


def _is_there(taking: Taking, *, undo: bool) -> bool:
    return taking is (Taking.WORK if undo else Taking.DRAINED)


def _tell(chosen: Sequence[str], found: Sequence[Heard], *, undo: bool, waited: bool) -> None:
    states = {one.name: one.offer.taking.value for one in found}
    for name in chosen:
        if waited:
            click.echo(f"{name}: {states.get(name, 'gone')}")
        else:
            click.echo(f"{name}: told to {'work again' if undo else 'drain'}")


def _said(one: Heard) -> list[str]:
    return [
        f"{each.task} {each.subject or ''}".strip() + f" for {_length(each.seconds)}"
        for each in one.offer.doing
    ]


def _length(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 2 * _MINUTE else f"{seconds / _MINUTE:.0f} min"


def _takers(found: Sequence[Heard], queue: Queue) -> list[Heard]:
    return [
        one for one in found if queue.value in one.offer.queues and one.offer.taking is Taking.WORK
    ]


def _as_json(one: Heard) -> dict[str, object]:
    shown = one.offer.model_dump(mode="json", exclude={"kept_seconds"})
    return {"worker": one.name, "heard_seconds_ago": one.age, **shown}

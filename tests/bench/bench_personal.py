"""Are designs for a shopper better to the shopper, by a taste that nothing here can see?

A simulated shopper's taste is non-linear in a space that the ranker does not look at: the features
of extractor C, which learned nothing. They like some garments; designs are made for them, and
judged by their hidden taste beside designs that were made for nobody. What bounds them is told
apart: the choice by the hidden taste itself, the number of candidates, and the variety kept.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click
import numpy as np

from shared.taste import Prior
from shared.taste.ranking import diverse, looks
from tests.bench import machine, personal_colours, results
from tests.bench.catalogs import NAMES, REAL, read
from tests.bench.indexed import indexed
from tests.bench.judging import Judgement
from tests.bench.studio import (
    CANDIDATES,
    KEPT,
    Liking,
    Studio,
    designed,
    made_for_nobody,
    opened,
    prior_of,
    taught,
)
from tests.bench.taste_worlds import Floats, draw_taste
from worker.designs.batch import Drawn
from worker.designs.personal import RELEVANCE, Shopper, as_items

TUNED_ON: Final = 16
"""The first shoppers: `worker.designs.personal.RELEVANCE` was chosen on them. From 100 on they were
used to choose the rest."""


@click.command()
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for results.")
@click.option("--data", required=True, type=click.Choice(NAMES), help="The release's catalog.")
@click.option("--root", default=REAL, show_default=True, type=click.Path(path_type=Path),
              help="Where real data lies.")  # fmt: skip
@click.option("--release", "release_folder", required=True, help="generator.npz and .json",
              type=click.Path(path_type=Path, exists=True))  # fmt: skip
@click.option("--shoppers", default=40, show_default=True)
@click.option("--likes", multiple=True, type=int, default=(3, 10, 20), show_default=True)
@click.option("--pool", default=512, show_default=True, help="Designs made for nobody.")
@click.option("--teachers", default=150, show_default=True, help="Shoppers that the shop had "
              "before; 0 for the broad prior.")  # fmt: skip
@click.option("--garments", default=6000, show_default=True, help="Of the catalog, at most.")
@click.option("--asked", default=64, show_default=True, help="Colours that are asked for.")
def main(  # noqa: PLR0913 - one parameter an option is click's way
    *, out: Path, data: Any, root: Path, release_folder: Path, shoppers: int,
    likes: tuple[int, ...], pool: int, teachers: int, garments: int, asked: int,
) -> None:  # fmt: skip
    """Design for simulated shoppers, and judge the designs by their hidden tastes."""
    catalog = read(data, root=root)
    found = indexed(catalog, Judgement(catalog, out), out)
    studio = opened(release_folder, found.folder, garments=garments)
    unasked = made_for_nobody(studio, pool)
    before = prior_of(studio, teachers)
    told: dict[str, Any] = {"shoppers": shoppers, "pool": pool, "teachers": teachers}
    for count in likes:
        row = judged(studio, unasked, before, shoppers=shoppers, likes=count)
        told[f"{count} likes"] = row
        click.echo(f"{count:3d} likes: {row}")
    if studio.generator.slots:
        told["colours"], sheet = personal_colours.asked_for(studio, before, count=asked)
        results.write_bytes(out / f"personal-{release_folder.name}-colours.png", sheet)
        click.echo(f"colours: {told['colours']}")
    name = f"personal-{release_folder.name}-{teachers}-teachers.json"
    results.write(out / name, told | {"machine": machine.facts()})


def judged(
    studio: Studio, unasked: Sequence[Drawn], before: Prior, *, shoppers: int, likes: int
) -> dict[str, Any]:
    """Return what designs are worth to shoppers after so many likes.

    `percentile` is where the mean liking of the kept designs lies among designs for nobody; `gain`
    is in standard deviations of the liking of garments; `spread` the mean distance between the kept
    designs in the hidden space, over that between as many for nobody. `for nobody` are those that
    the ranker, or the hidden taste itself, chooses among designs for nobody.
    """
    found: dict[str, list[float]] = {}
    pool_hidden = studio.hidden_of(unasked)
    for number in range(TUNED_ON, TUNED_ON + shoppers):
        rng = np.random.default_rng([number, likes])
        liking = draw_taste(studio.hidden, rng)
        shopper = taught(studio, liking, likes, rng, before=before)
        of_pool = liking(pool_hidden)
        kept = studio.hidden_of(designed(studio, shopper, seed=number))
        values = {
            "percentile": _share_below(of_pool, liking(kept).mean()),
            "percentile of the first": _share_below(of_pool, liking(kept)[0]),
            "gain": liking(kept).mean(),
            "gain of designs for nobody": of_pool.mean(),
            "spread": _apart(kept) / _apart(pool_hidden[: 4 * KEPT]),
            **_bounds(studio, shopper, liking, unasked, pool_hidden),
        }
        for name, value in values.items():
            found.setdefault(name, []).append(float(value))
    return {name: _with_interval(row) for name, row in found.items()}


def _bounds(
    studio: Studio, shopper: Shopper, liking: Liking, unasked: Sequence[Drawn], hidden: Floats
) -> dict[str, float]:
    """Return percentiles of what is chosen among designs for nobody, by whom and among how many."""
    items = as_items(unasked, studio.gallery.items.vocabulary)
    features = studio.gallery.space.features(items)
    of_pool = liking(hidden)
    scores = {"ranker": shopper.taste.posterior.means(features), "hidden taste": of_pool}
    found = {"correlation": float(np.corrcoef(scores["ranker"], of_pool)[0, 1])}
    for who, by in scores.items():
        for count in sorted({min(CANDIDATES, len(items)), len(items)}):
            picked = diverse(
                by[:count], features[:count, :-1], looks(items)[:count], count=KEPT,
                relevance=RELEVANCE,
            )  # fmt: skip
            name = f"percentile by the {who} among {count} for nobody"
            found[name] = _share_below(of_pool, of_pool[picked].mean())
    return found


def _share_below(values: Floats, one: float) -> float:
    return float((values < one).mean())


def _apart(rows: Floats) -> float:
    distances = np.sqrt(((rows[:, None] - rows[None]) ** 2).sum(2))
    return float(distances[np.triu_indices(len(rows), 1)].mean())


def _with_interval(values: Sequence[float]) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    array = np.array(values)
    means = array[rng.integers(len(array), size=(2000, len(array)))].mean(1)
    low, high = np.quantile(means, (0.025, 0.975)).tolist()
    return {"mean": float(array.mean()), "interval": [low, high]}


if __name__ == "__main__":
    main()

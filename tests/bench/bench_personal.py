"""Are designs for a shopper better to the shopper, by a taste that nothing here can see?

A simulated shopper's taste is non-linear in a space that the ranker does not look at: the features
of extractor C, which learned nothing. They like some garments; designs are made for them, and
judged by their hidden taste beside designs that were made for nobody.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
import numpy as np
from numpy.typing import NDArray

from shared.colour import delta_e, hex_to_lab
from shared.schemas.designs import ForShopper
from shared.schemas.jobs import DesignSpec
from shared.taste import Signal, index, prior, space
from shared.taste.gallery import Gallery, hang
from shared.taste.learning import Taste, taste_of
from shared.taste.ranking import diverse, looks
from shared.taste.thompson import Targets, targets
from tests.bench import machine, results
from tests.bench.taste_worlds import Floats, Setup, browse, draw_taste
from worker.designs.batch import Drawn, Generates, Member, draw, paint
from worker.designs.looking import Eye, Space
from worker.designs.orders import Order, own
from worker.designs.personal import RELEVANCE, Shopper, as_items, chosen, orders_for
from worker.pictures.crowd import Crowd

NOW: Final = datetime(2026, 11, 26, tzinfo=UTC)
HIDDEN: Final = 12
CANDIDATES, KEPT = 128, 8
TUNED_ON: Final = 16
"""The first shoppers: `worker.designs.personal.RELEVANCE` was chosen on them."""
CLOSE: Final = (10.0, 15.0)
ASKED: Final = (
    "#1f3a5f", "#c0202a", "#1c1c1c", "#f0f0f0", "#2e7d32", "#d4a017", "#7b3f00", "#e58fb1",
)  # fmt: skip


@dataclass(frozen=True)
class Studio:
    """A release, and what its designs are seen with."""

    generator: Generates
    eye: Eye
    gallery: Gallery
    targets: Targets
    hidden_of: Callable[[Sequence[Drawn]], Floats]
    hidden: Floats


@click.command()
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for results.")
@click.option("--release", "release_folder", required=True, help="generator.npz and .json",
              type=click.Path(path_type=Path, exists=True))  # fmt: skip
@click.option("--index", "index_folder", required=True, help="A garment index's files.",
              type=click.Path(path_type=Path, exists=True))  # fmt: skip
@click.option("--shoppers", default=40, show_default=True)
@click.option("--likes", multiple=True, type=int, default=(3, 10, 20), show_default=True)
@click.option("--pool", default=512, show_default=True, help="Designs made for nobody.")
@click.option("--garments", default=6000, show_default=True, help="Of the catalog, at most.")
def main(
    *, out: Path, release_folder: Path, index_folder: Path, shoppers: int, likes: tuple[int, ...],
    pool: int, garments: int,
) -> None:  # fmt: skip
    """Design for simulated shoppers, and judge the designs by their hidden tastes."""
    studio = opened(release_folder, index_folder, garments=garments)
    unasked = made_for_nobody(studio, pool)
    told: dict[str, Any] = {"machine": machine.facts(), "shoppers": shoppers, "pool": pool}
    for count in likes:
        told[f"{count} likes"] = judged(studio, unasked, shoppers=shoppers, likes=count)
        click.echo(f"{count:3d} likes: {told[f'{count} likes']}")
    if studio.generator.slots:
        told["colours"] = colours_hit(studio)
        click.echo(f"colours: {told['colours']}")
    results.write(out / f"personal-{release_folder.name}.json", told)


def opened(release_folder: Path, index_folder: Path, *, garments: int) -> Studio:
    """Read a release and an index; of a large catalog only some garments, evenly."""
    from worker.gan.checkpoint import unpack
    from worker.gan.measure.encoder import Encoder
    from worker.gan.measure.untrained import Untrained
    from worker.gan.release import load_generator

    files = {path.name: path.read_bytes() for path in release_folder.glob("generator.*")}
    every = index.read((index_folder / "garments.npz").read_bytes())
    step = max(1, len(every) // garments)
    rows = np.arange(0, len(every), step)
    novelty = unpack((index_folder / "novelty.npz").read_bytes())
    encoder = Encoder.from_bytes((index_folder / "encoder.npz").read_bytes(), batch=16)
    plain = Untrained.from_bytes((index_folder / "plain.npz").read_bytes(), batch=16)
    features = novelty["plain"].astype(np.float32)
    learned = Crowd(every.embeddings, np.float32)
    eye = Eye(
        "bench", encoder.side, encoder.channels,
        Space(encoder.features, learned, float(novelty["learned_copy"])),
        Space(plain.features, Crowd(features, np.float32), float(novelty["plain_copy"])),
    )  # fmt: skip
    gallery = hang(every.take(rows), space.read((index_folder / "space.npz").read_bytes()))
    project = _projection(features[rows])
    return Studio(
        load_generator(files), eye, gallery, targets(gallery),
        lambda drawn: project(plain.features(np.stack([one.pixels for one in drawn]))),
        project(features[rows]),
    )  # fmt: skip


def made_for_nobody(studio: Studio, count: int) -> list[Drawn]:
    """Return designs whose conditions are left to chance, as the catalog has them."""
    orders = [Order(seed, own(seed), {}, 0.8) for seed in range(10**6, 10**6 + count)]
    return studio.eye.look(paint(studio.generator, orders))


def judged(
    studio: Studio, unasked: Sequence[Drawn], *, shoppers: int, likes: int
) -> dict[str, Any]:
    """Return what designs are worth to shoppers after so many likes.

    `percentile` is where the mean liking of the kept designs lies among designs for nobody; `gain`
    is in standard deviations of the liking of garments; `spread` the mean distance between the kept
    designs in the hidden space, over that between as many for nobody.
    """
    found: dict[str, list[float]] = {}
    pool_hidden = studio.hidden_of(unasked)
    for number in range(TUNED_ON, TUNED_ON + shoppers):
        rng = np.random.default_rng([number, likes])
        liking = draw_taste(studio.hidden, rng)
        shopper = taught(studio, liking, likes, rng)
        of_pool = liking(pool_hidden)
        kept = studio.hidden_of(designed(studio, shopper, seed=number))
        among = _best_of(studio, shopper.taste, unasked, rng)
        for name, value in {
            "percentile": (of_pool < liking(kept).mean()).mean(),
            "gain": liking(kept).mean(),
            "gain of the best of as many for nobody": liking(pool_hidden[among]).mean(),
            "gain of designs for nobody": of_pool.mean(),
            "spread": _apart(kept) / _apart(pool_hidden[: 4 * KEPT]),
        }.items():
            found.setdefault(name, []).append(float(value))
    return {name: _with_interval(values) for name, values in found.items()}


def taught(
    studio: Studio, liking: Callable[[Floats], Floats], likes: int, rng: np.random.Generator
) -> Shopper:
    """Let a shopper look through garments until so many are liked."""
    liked, _ = browse(liking(studio.hidden), likes, rng, Setup())
    ids = studio.gallery.items.ids
    taste = taste_of(
        [Signal("like", ids[int(place)], NOW) for place in liked], studio.gallery,
        prior.broad(studio.gallery.space), now=NOW, rng=rng,
    )  # fmt: skip
    return Shopper(taste, studio.gallery, studio.targets)


def designed(studio: Studio, shopper: Shopper, *, seed: int) -> Sequence[Drawn]:
    """Return the designs that the worker would keep for a shopper."""
    spec = DesignSpec(
        release_id="bench", count=KEPT, condition={}, seed=seed, size=16, format="png",
        way=ForShopper(shopper_id="bench", candidates=CANDIDATES),
    )  # fmt: skip
    (member,) = draw(
        studio.generator, [spec],
        orders=lambda _, one: orders_for(one, shopper, studio.generator),
    )  # fmt: skip
    seen = replace(member, drawn=tuple(studio.eye.look(member.drawn)))
    return _kept(chosen(seen, shopper))


def colours_hit(studio: Studio, *, each: int = 16) -> dict[str, Any]:
    """Return how near the main colour of designs is to the one asked for, CIEDE2000."""
    orders = [
        Order(seed, own(seed), {"colour": code}, 0.8)
        for place, code in enumerate(ASKED)
        for seed in range(each * place, each * (place + 1))
    ]
    drawn = studio.eye.look(paint(studio.generator, orders))
    away = np.array(
        [
            float(delta_e(one.colours[0], hex_to_lab(one.order.condition["colour"])))
            for one in drawn
            if one.colours is not None and not np.isnan(one.colours[0]).any()
        ]
    )
    hits = {f"within {limit:g}": float((away <= limit).mean()) for limit in CLOSE}
    return {"n": len(away), "median": float(np.median(away)), **hits}


def _kept(member: Member) -> Sequence[Drawn]:
    if member.error is not None:
        raise member.error
    return member.drawn


def _best_of(
    studio: Studio, taste: Taste, unasked: Sequence[Drawn], rng: np.random.Generator
) -> NDArray[np.intp]:
    """Return the best, by the same ranker, of as many candidates that were made for nobody."""
    places = rng.choice(len(unasked), CANDIDATES, replace=False)
    items = as_items([unasked[place] for place in places], studio.gallery.items.vocabulary)
    features = studio.gallery.space.features(items)
    picked = diverse(
        taste.posterior.means(features), features[:, :-1], looks(items), count=KEPT,
        relevance=RELEVANCE,
    )  # fmt: skip
    return places[picked]


def _projection(features: NDArray[np.float32]) -> Callable[[NDArray[np.float32]], Floats]:
    """Return what takes features to the garments' first components, each of unit variance."""
    centre = features.mean(0)
    _, spread, axes = np.linalg.svd(features - centre, full_matrices=False)
    scale = np.sqrt(len(features)) / spread[:HIDDEN]
    return lambda rows: np.asarray((rows - centre) @ axes[:HIDDEN].T * scale, dtype=np.float64)


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

"""A release, what its designs are seen with, and simulated shoppers to design for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.schemas.designs import ForShopper
from shared.schemas.jobs import DesignSpec
from shared.taste import Prior, Signal, Wish, index, prior, space
from shared.taste.gallery import Gallery, hang
from shared.taste.learning import taste_of
from shared.taste.observations import Evidence, observe
from shared.taste.thompson import Targets, targets
from tests.bench.taste_worlds import Floats, Setup, browse, draw_taste
from worker.designs.batch import Drawn, Generates, Member, draw, paint
from worker.designs.looking import Eye, Space
from worker.designs.orders import Order, own
from worker.designs.personal import Shopper, chosen, orders_for
from worker.pictures.crowd import Crowd

NOW: Final = datetime(2026, 11, 26, tzinfo=UTC)
HIDDEN: Final = 12
"""Principal components of extractor C's features that hidden tastes are made of."""
CANDIDATES, KEPT = 128, 8
FEWEST, MOST = 5, 40
"""Likes of a teacher."""

Liking = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Studio:
    """A release, and what its designs are seen with.

    Attributes:
        generator: of the release.
        eye: of the catalog's index.
        gallery: the garments.
        targets: their sorts.
        hidden_of: designs -> what hidden tastes are made of, ``[n, 12]``.
        hidden: the same of the garments.
    """

    generator: Generates
    eye: Eye
    gallery: Gallery
    targets: Targets
    hidden_of: Callable[[Sequence[Drawn]], Floats]
    hidden: Floats


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
    project = projection(features[rows])
    return Studio(
        load_generator(files), eye, gallery, targets(gallery),
        lambda drawn: project(plain.features(np.stack([one.pixels for one in drawn]))),
        project(features[rows]),
    )  # fmt: skip


def projection(features: NDArray[np.float32]) -> Callable[[NDArray[np.float32]], Floats]:
    """Return what takes features to the garments' first components, each of unit variance."""
    centre = features.mean(0)
    _, spread, axes = np.linalg.svd(features - centre, full_matrices=False)
    scale = np.sqrt(len(features)) / spread[:HIDDEN]
    return lambda rows: np.asarray((rows - centre) @ axes[:HIDDEN].T * scale, dtype=np.float64)


def made_for_nobody(studio: Studio, count: int) -> list[Drawn]:
    """Return designs whose conditions are left to chance, as the catalog has them."""
    orders = [Order(seed, own(seed), {}, 0.8) for seed in range(10**6, 10**6 + count)]
    return studio.eye.look(paint(studio.generator, orders))


def prior_of(studio: Studio, teachers: int, *, seed: int = 777) -> Prior:
    """Return what a shop's earlier shoppers teach; their tastes are nobody else's.

    The prior of none is the broad one. Of others it holds what sorts of tastes there are, and
    nothing of what the judged shoppers like: no part of a taste is shared.
    """
    seen = []
    for number in range(teachers):
        rng = np.random.default_rng([seed, number])
        liking = draw_taste(studio.hidden, rng)
        seen.append(_evidence(studio, liking, int(rng.integers(FEWEST, MOST)), rng).seen)
    return prior.learn(seen, prior.broad(studio.gallery.space))


def taught(
    studio: Studio, liking: Liking, likes: int, rng: np.random.Generator, *,
    before: Prior, wishes: Sequence[Wish] = (),
) -> Shopper:  # fmt: skip
    """Let a shopper look through garments until so many are liked, and say what they wish."""
    taste = taste_of(
        _likes(studio, liking, likes, rng), studio.gallery, before, wishes=wishes, now=NOW, rng=rng
    )
    hard = [wish for wish in wishes if wish.hard]
    return Shopper(taste, studio.gallery, studio.targets, filters=hard)


def designed(
    studio: Studio, shopper: Shopper, *, seed: int, candidates: int = CANDIDATES
) -> Sequence[Drawn]:
    """Return the designs that the worker would keep for a shopper."""
    spec = DesignSpec(
        release_id="bench", count=KEPT, condition={}, seed=seed, size=16, format="png",
        way=ForShopper(shopper_id="bench", candidates=candidates),
    )  # fmt: skip
    (member,) = draw(
        studio.generator, [spec],
        orders=lambda _, one: orders_for(one, shopper, studio.generator),
    )  # fmt: skip
    return _kept(chosen(replace(member, drawn=tuple(studio.eye.look(member.drawn))), shopper))


def _likes(studio: Studio, liking: Liking, likes: int, rng: np.random.Generator) -> list[Signal]:
    liked, _ = browse(liking(studio.hidden), likes, rng, Setup())
    ids = studio.gallery.items.ids
    return [Signal("like", ids[int(place)], NOW) for place in liked]


def _evidence(studio: Studio, liking: Liking, likes: int, rng: np.random.Generator) -> Evidence:
    return observe(_likes(studio, liking, likes, rng), studio.gallery, now=NOW, rng=rng)


def _kept(member: Member) -> Sequence[Drawn]:
    if member.error is not None:
        raise member.error
    return member.drawn

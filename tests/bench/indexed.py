"""The garment index of a catalog that is measured on, and what simulated tastes are made of."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.taste.items import UNKNOWN, Items
from tests.bench import results
from tests.bench.catalogs import Catalog
from tests.bench.judging import Judgement
from worker.gan.data import Dataset
from worker.jobs.indexing import files_of

_NAMES: Final = ("garments.npz", "space.npz", "encoder.npz", "plain.npz", "novelty.npz")


@dataclass(frozen=True)
class Indexed:
    """An index on disk.

    Attributes:
        folder: with the index' files, by the names that the artifact store has them under.
        held_out: bool [n]: the garments that no training saw; the others come first.
    """

    folder: Path
    held_out: NDArray[np.bool_]


def indexed(catalog: Catalog, judgement: Judgement, out: Path) -> Indexed:
    """Look at all garments of a catalog once, by the extractors of its training part."""
    folder = out / f"index-{catalog.name}-{catalog.train.fingerprint[:8]}"
    held_out = np.arange(catalog.train.n + catalog.test.n) >= catalog.train.n
    if not all((folder / name).exists() for name in _NAMES):
        encoder, plain = judgement.extractors.b, judgement.extractors.c
        parts = (catalog.train, catalog.test)
        features = {
            name: np.concatenate([seer.features(part.images) for part in parts])
            for name, seer in (("learned", encoder), ("plain", plain))
        }
        files = files_of(
            _items(parts, features["learned"]), features,
            (np.flatnonzero(~held_out), np.flatnonzero(held_out)), encoder=encoder, plain=plain,
        )  # fmt: skip
        for name, data in files.items():
            results.write_bytes(folder / name, data)
    return Indexed(folder, held_out)


def _items(parts: tuple[Dataset, ...], embeddings: NDArray[np.float32]) -> Items:
    first = parts[0]
    labels = [np.stack([*part.labels.values()], axis=1) for part in parts if part.labels]
    nothing = np.full((len(embeddings), 0), UNKNOWN, np.int32)
    return Items(
        ids=tuple(f"garment-{place}" for place in range(len(embeddings))),
        embeddings=embeddings,
        colours=np.concatenate([_colours(part) for part in parts]),
        labels=np.concatenate(labels) if labels else nothing,
        vocabulary=first.vocabulary,
    )


def _colours(part: Dataset) -> NDArray[np.float32]:
    return np.full((part.n, 2, 3), np.nan, np.float32) if part.colours is None else part.colours

"""A catalog version as arrays: what a training reads, from rows and shards."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared.records import catalogs, garments
from shared.records.catalogs import Shard
from shared.schemas.designs import COLOUR_KEYS
from shared.schemas.jobs import TrainingSpec
from shared.schemas.models import MINIMUM_OF_VALUE
from worker.catalogs.shards import ShardSlice, assemble
from worker.gan.data import Dataset
from worker.runtime import Runtime

SECOND_COLOUR_SHARE: Final = 0.12
"""A second colour covers at least this share of a garment; less is a button or a shadow."""

_RGB: Final = 3


def load_dataset(runtime: Runtime, spec: TrainingSpec) -> Dataset:
    """Return the garments of a catalog version as arrays, pictures at the spec's size."""
    with runtime.records.reading() as tx:
        shards = catalogs.shards_up_to(tx, spec.catalog_id, spec.catalog_version)
        labels = list(garments.labels_up_to(tx, spec.catalog_id, spec.catalog_version))
        channels = catalogs.channels_of(tx, spec.catalog_id)
        palettes = []
        if spec.colours and channels == _RGB:
            palettes = list(garments.palettes_up_to(tx, spec.catalog_id, spec.catalog_version))
    starts = starts_of(shards)
    cache = runtime.settings.cache_folder
    parts = [ShardSlice(runtime.store.fetch(shard.artifact, cache)) for shard in shards]
    name = f"{spec.catalog_id}-v{spec.catalog_version}-{spec.size}x{channels}.npy"
    images = assemble(
        parts, size=spec.size, channels=channels, destination=cache / "datasets" / name
    )
    places = [(starts[shard_id] + index, values) for shard_id, index, values in labels]
    codes, vocabulary = encode_labels(places, count=len(images), attributes=spec.attributes)
    seen = [(starts[shard_id] + index, palette) for shard_id, index, palette in palettes]
    mark = [spec.catalog_id, spec.catalog_version, [shard.sha256 for shard in shards]]
    return Dataset(
        images=images,
        labels=codes,
        vocabulary=vocabulary,
        fingerprint=hashlib.sha256(json.dumps(mark).encode()).hexdigest(),
        colours=encode_colours(seen, count=len(images)) if seen else None,
    )


def starts_of(shards: Sequence[Shard]) -> dict[str, int]:
    """Return, by shard id, the row of its first picture when all shards lie one behind another."""
    ends = np.cumsum([shard.count for shard in shards]).tolist()
    return {shard.id: end - shard.count for shard, end in zip(shards, ends, strict=True)}


def encode_colours(
    palettes: Sequence[tuple[int, Sequence[Sequence[Any]]]], *, count: int
) -> NDArray[np.float32]:
    """Turn palettes into the colours that a training conditions on.

    Args:
        palettes: (row of the picture, its palette) of each garment; a palette is
            ``[[L, a, b, weight, family], ...]`` in CIELAB, its main colour first.
        count: how many pictures there are.

    Returns:
        float32 [count, 2, 3]: CIELAB of the main colour, and of the weightiest other one that
        covers at least SECOND_COLOUR_SHARE of the garment; NaN where there is none.
    """
    colours = np.full((count, len(COLOUR_KEYS), 3), np.nan, np.float32)
    for row, palette in palettes:
        if not palette:
            continue
        colours[row, 0] = palette[0][:3]
        second = max(palette[1:], key=lambda colour: float(colour[3]), default=None)
        if second is not None and second[3] >= SECOND_COLOUR_SHARE:
            colours[row, 1] = second[:3]
    return colours


def encode_labels(
    places: list[tuple[int, dict[str, str]]], *, count: int, attributes: tuple[str, ...]
) -> tuple[dict[str, NDArray[np.int32]], dict[str, tuple[str, ...]]]:
    """Turn labels into codes.

    Args:
        places: (row of the picture, its labels) of each garment.
        count: how many pictures there are.
        attributes: the labels to keep.

    Returns:
        attribute -> int32 [count], the value's place in the vocabulary or -1 where unknown; and
        attribute -> its values in order, without those of fewer than eight garments. An attribute
        that is left with fewer than two values says nothing, and is left out.
    """
    codes: dict[str, NDArray[np.int32]] = {}
    vocabulary: dict[str, tuple[str, ...]] = {}
    for name in attributes:
        counts: dict[str, int] = {}
        for _, values in places:
            if name in values:
                counts[values[name]] = counts.get(values[name], 0) + 1
        kept = tuple(
            sorted(value for value, number in counts.items() if number >= MINIMUM_OF_VALUE)
        )
        if len(kept) < 2:  # noqa: PLR2004 - one value is no choice
            continue
        position = {value: code for code, value in enumerate(kept)}
        column = np.full(count, -1, np.int32)
        for row, values in places:
            column[row] = position.get(values.get(name, ""), -1)
        codes[name], vocabulary[name] = column, kept
    return codes, vocabulary

"""Garment indexes: the garments of a catalog as its encoder sees them, and what makes a copy."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from shared import ids
from shared.artifacts import ArtifactStore, keys
from shared.records import Transaction, catalogs, garments, indexes
from shared.records.indexes import Index
from shared.schemas.jobs import Budget, TrainingSpec
from shared.shoppers.files import GARMENTS, SPACE
from shared.taste import index as garment_index
from shared.taste import space as feature_space
from shared.taste.items import Items
from worker.gan.checkpoint import pack, unpack
from worker.gan.data import Dataset
from worker.jobs.datasets import encode_colours, encode_labels, load_dataset, starts_of
from worker.pictures.crowd import Crowd
from worker.runtime import DRAINING, Runtime

LOG: Final = logging.getLogger(__name__)

COPY_QUANTILE: Final = 0.01
"""Of the distances of held-out garments to the others: as near are one in a hundred new ones."""

ENCODER: Final = "encoder.npz"
PLAIN: Final = "plain.npz"
NOVELTY: Final = "novelty.npz"

Features = NDArray[np.float32]


class Sees(Protocol):
    """What turns pictures into features and can be kept."""

    @property
    def digest(self) -> str:
        """Names its weights."""
        ...

    def features(self, images: NDArray[np.uint8]) -> Features:
        """uint8 [n, height, width, channels] -> float32 [n, 128]."""
        ...

    def to_bytes(self) -> bytes:
        """Return its file."""
        ...


@dataclass(frozen=True)
class Built:
    """An index that was built and is not published yet."""

    encoder: str
    catalog_id: str
    catalog_version: int
    garments: int
    files: Mapping[str, bytes]

    def store(self, store: ArtifactStore) -> str:
        """Put the files into the store; returns the new index's id."""
        index_id = ids.new_id(ids.INDEX)
        for name, data in self.files.items():
            store.put(keys.index_file(index_id, name), data)
        return index_id

    def publish(self, tx: Transaction, site_id: str, index_id: str) -> None:
        """Add the row, in the transaction of what it belongs to."""
        values = {
            "catalog_id": self.catalog_id,
            "catalog_version": self.catalog_version,
            "encoder": self.encoder,
            "garments": self.garments,
            "artifact": keys.index(index_id),
        }
        indexes.publish(tx, site_id, index_id=index_id, values=values)


def build(
    runtime: Runtime,
    spec: TrainingSpec,
    dataset: Dataset,
    encoder: Sees,
    plain: Sees,
    *,
    heldout: float,
    before: Mapping[str, Features] | None = None,
) -> Built:
    """Build the index of a catalog version.

    Args:
        runtime: ways out.
        spec: names the catalog and its version.
        dataset: its pictures, as the encoder takes them.
        encoder: that learned the catalog.
        plain: that learned nothing.
        heldout: share of the garments that the encoder did not learn from.
        before: `learned` and `plain` features of the first garments, where an earlier index has
            them: garments are only ever added, behind those that there are.
    """
    features = {
        "learned": _seen(encoder, dataset, before["learned"] if before else None),
        "plain": _seen(plain, dataset, before["plain"] if before else None),
    }
    rows, held = dataset.split(heldout)
    if not len(held):  # too few to hold any out: each tenth stands for them
        held = np.arange(0, dataset.n, 10)
        rows = np.setdiff1d(np.arange(dataset.n), held)
    items = _items(runtime, spec, features["learned"])
    files = files_of(items, features, (rows, held), encoder=encoder, plain=plain)
    return Built(encoder.digest, spec.catalog_id, spec.catalog_version, len(items), files)


def files_of(
    items: Items,
    features: Mapping[str, Features],
    parted: tuple[NDArray[np.intp], NDArray[np.intp]],
    *,
    encoder: Sees,
    plain: Sees,
) -> dict[str, bytes]:
    """Return an index' files by name.

    Args:
        items: the garments.
        features: their `learned` and `plain` ones.
        parted: rows that the encoder learned from, and those that were held out, by whose
            distances it is judged what a copy is.
        encoder: that learned the catalog.
        plain: that learned nothing.
    """
    rows, held = parted
    copies = {
        f"{name}_copy": np.array(copy_distance(seen[held], seen[rows]), np.float32)
        for name, seen in features.items()
    }
    return {
        GARMENTS: garment_index.write(items),
        SPACE: feature_space.write(feature_space.learn(items)),
        ENCODER: encoder.to_bytes(),
        PLAIN: plain.to_bytes(),
        NOVELTY: pack({"plain": features["plain"], **copies}),
    }


def _seen(eye: Sees, dataset: Dataset, before: Features | None) -> Features:
    if before is None:
        return eye.features(dataset.images)
    return np.concatenate([before, eye.features(dataset.images[len(before) :])])


def copy_distance(held: Features, learned: Features) -> float:
    """Return the distance below which something is as near as a copy.

    Args:
        held: float32 [m, d], garments that were held out.
        learned: float32 [n, d], those that were not.
    """
    return float(np.quantile(Crowd(learned).nearest(held), COPY_QUANTILE))


def _items(runtime: Runtime, spec: TrainingSpec, embeddings: Features) -> Items:
    """Return all garments with their embeddings, in the order of the pictures."""
    with runtime.records.reading() as tx:
        shards = catalogs.shards_up_to(tx, spec.catalog_id, spec.catalog_version)
        seen = list(garments.described_up_to(tx, spec.catalog_id, spec.catalog_version))
    starts = starts_of(shards)
    rows = [starts[shard_id] + place for _, shard_id, place, *_ in seen]
    order = np.argsort(rows)
    ordered = [seen[place] for place in order.tolist()]
    places = [(row, labels) for row, (_, _, _, labels, *_) in enumerate(ordered)]
    palettes = [(row, palette) for row, (*_, palette) in enumerate(ordered)]
    names = tuple(sorted({name for _, labels in places for name in labels}))
    codes, vocabulary = encode_labels(places, count=len(ordered), attributes=names)
    return Items(
        ids=tuple(garment_id for garment_id, *_ in ordered),
        embeddings=embeddings[np.sort(rows)].astype(np.float32),
        colours=encode_colours(palettes, count=len(ordered)),
        labels=_matrix(codes, vocabulary, len(ordered)),
        vocabulary=vocabulary,
    )


def _matrix(
    codes: Mapping[str, NDArray[np.int32]],
    vocabulary: Mapping[str, tuple[str, ...]],
    count: int,
) -> NDArray[np.int32]:
    if not vocabulary:
        return np.zeros((count, 0), np.int32)
    return np.stack([codes[name] for name in vocabulary], axis=1)


def index_catalog(
    runtime: Runtime,
    spec: TrainingSpec,
    files: Mapping[str, bytes],
    *,
    dataset: Dataset | None = None,
    steps: int | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> Built:
    """Build the index of a catalog version with an encoder that is kept, or trained now.

    Args:
        runtime: ways out.
        spec: of the training whose release the index goes with.
        files: of extractors, by name; what is missing is made.
        dataset: the garments; loaded where None.
        steps: of the encoder's training, where it must be trained.
        on_progress: of that training.
    """
    from worker.gan.measure.encoder import Encoder, train_encoder
    from worker.gan.measure.extractors import file_of
    from worker.gan.measure.untrained import Untrained

    garments = dataset or load_dataset(runtime, spec)
    kept = files.get(file_of(Encoder.letter))
    if kept is None:
        rows, _ = garments.split(spec.heldout)
        encoder: Any = train_encoder(
            garments.take(rows), seed=0, steps=steps, on_progress=on_progress
        )
    else:
        encoder = Encoder.from_bytes(kept)
    drawn = files.get(file_of(Untrained.letter))
    plain = (
        Untrained(frame=garments.frame, channels=garments.channels)
        if drawn is None
        else Untrained.from_bytes(drawn)
    )
    return build(runtime, spec, garments, encoder, plain, heldout=spec.heldout)


def refresh_index(runtime: Runtime, catalog_id: str, *, site_id: str) -> bool:
    """Bring a catalog's index up to its newest version, with the encoder that it has.

    Only garments that were added since are looked at. A catalog that was never trained on has no
    encoder, and nothing to refresh.

    Returns:
        Whether a new index was published.
    """
    with runtime.records.reading() as tx:
        catalog = catalogs.get(tx, site_id, catalog_id)
        newest = indexes.newest(tx, site_id, catalog_id)
    if newest is None or newest.catalog_version >= catalog.version:
        return False
    built = _grown(runtime, newest, catalog.version)
    index_id = built.store(runtime.store)
    with runtime.records.transaction() as tx:
        built.publish(tx, site_id, index_id)
    LOG.info("Index %s holds the %d garments of catalog %s", index_id, built.garments, catalog_id)
    return True


def refresh_stale(runtime: Runtime) -> int:
    """Refresh the indexes of all catalogs that have grown; returns how many.

    Two who do it at once publish two equal indexes, of which the newer is used.
    """
    with runtime.records.reading() as tx:
        stale = indexes.stale(tx)
    return sum(
        refresh_index(runtime, catalog_id, site_id=site_id)
        for site_id, catalog_id in stale
        if not DRAINING.is_set()  # the next beat finds them again
    )


def _grown(runtime: Runtime, index: Index, version: int) -> Built:
    from worker.gan.device import prepare
    from worker.gan.measure.encoder import Encoder
    from worker.gan.measure.untrained import Untrained

    prepare()
    names = (GARMENTS, ENCODER, PLAIN, NOVELTY)
    files = {name: runtime.store.read(f"{index.artifact}{name}") for name in names}
    encoder, plain = Encoder.from_bytes(files[ENCODER]), Untrained.from_bytes(files[PLAIN])
    spec = TrainingSpec(
        catalog_id=index.catalog_id, catalog_version=version, model="-", size=encoder.side,
        budget=Budget(images=64), seed=0, attributes=(),
    )  # fmt: skip
    before = {
        "learned": garment_index.read(files[GARMENTS]).embeddings,
        "plain": unpack(files[NOVELTY])["plain"].astype(np.float32),
    }
    dataset = load_dataset(runtime, spec)
    return build(runtime, spec, dataset, encoder, plain, heldout=spec.heldout, before=before)

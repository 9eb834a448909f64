"""Training jobs: a catalog version in, a release out."""

import hashlib
import json
import logging
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared import ids
from shared.artifacts import ArtifactStore, keys
from shared.records import Transaction, catalogs, models
from shared.schemas.jobs import Progress, TrainingSpec
from shared.schemas.models import MINIMUM_OF_VALUE
from worker.attempt import Attempt, Outcome, Publish
from worker.catalogs.shards import ShardSlice, assemble
from worker.gan.data import Dataset
from worker.runtime import Runtime

LOG: Final = logging.getLogger(__name__)


def train(attempt: Attempt) -> Publish:
    """Train on what the spec names, and return how to publish the release.

    Raises:
        CancelledError, DrainedError, LeaseLostError: it was stopped; a checkpoint is kept.
    """
    from worker.gan.device import prepare
    from worker.gan.train import TrainingInterrupted
    from worker.gan.train import train as train_gan
    from worker.jobs.checkpoints import ArtifactCheckpoints

    spec = TrainingSpec.model_validate(attempt.job.spec)
    prepare()
    attempt.report(Progress(fraction=0, message="loading the catalog"))
    dataset = load_dataset(attempt.runtime, spec)
    checkpoints = ArtifactCheckpoints(attempt.runtime.store, attempt.job.id, attempt.job.fence)
    try:
        trained = train_gan(
            recipe_of(spec),
            dataset,
            checkpoints,
            on_progress=_Reporter(attempt),
            should_stop=attempt.should_stop,
        )
    except TrainingInterrupted:
        attempt.raise_if_stopped()
        raise
    return _publication(attempt, spec, trained.files())


def recipe_of(spec: TrainingSpec) -> Any:
    """Return the GAN engine's recipe for a spec."""
    from worker.gan.recipe import Recipe

    return Recipe(
        preset=spec.preset,
        minutes=spec.budget.minutes,
        images=spec.budget.images,
        seed=spec.seed,
        preview_seconds=spec.preview_seconds,
        checkpoint_seconds=spec.checkpoint_seconds,
    )


def load_dataset(runtime: Runtime, spec: TrainingSpec) -> Dataset:
    """Return the garments of a catalog version as arrays, pictures at the spec's size."""
    with runtime.records.reading() as tx:
        shards = catalogs.shards_up_to(tx, spec.catalog_id, spec.catalog_version)
        labels = list(catalogs.labels_up_to(tx, spec.catalog_id, spec.catalog_version))
        channels = catalogs.channels_of(tx, spec.catalog_id)
    starts = dict(
        zip(
            (shard.id for shard in shards),
            np.cumsum([0, *(shard.count for shard in shards)])[:-1].tolist(),
            strict=True,
        )
    )
    cache = runtime.settings.cache_folder
    parts = [ShardSlice(runtime.store.fetch(shard.artifact, cache)) for shard in shards]
    name = f"{spec.catalog_id}-v{spec.catalog_version}-{spec.size}x{channels}.npy"
    images = assemble(
        parts, size=spec.size, channels=channels, destination=cache / "datasets" / name
    )
    places = [(starts[shard_id] + index, values) for shard_id, index, values in labels]
    codes, vocabulary = encode_labels(places, count=len(images), attributes=spec.attributes)
    mark = [spec.catalog_id, spec.catalog_version, [shard.sha256 for shard in shards]]
    fingerprint = hashlib.sha256(json.dumps(mark).encode()).hexdigest()
    return Dataset(images=images, labels=codes, vocabulary=vocabulary, fingerprint=fingerprint)


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


class _Reporter:
    """Passes the engine's progress on, and keeps the newest sample grid."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._url: str | None = None

    def __call__(self, progress: Any) -> None:
        from worker.gan.grid import png

        job = self._attempt.job
        if progress.grid is not None:
            key = keys.preview(job.id, job.fence)
            artifact = self._attempt.runtime.store.put(key, png(progress.grid))
            # The hash makes each grid's address its own, so that a browser shows the new one.
            self._url = f"/v1/jobs/{job.id}/preview?v={artifact.sha256[:12]}"
        self._attempt.report(
            Progress(
                fraction=min(max(progress.fraction, 0.0), 1.0),
                message="training",
                eta_seconds=progress.eta_seconds,
                step=progress.step,
                images_seen=progress.images_seen,
                images_per_second=progress.images_per_second,
                losses=dict(progress.losses),
                preview_url=self._url,
            )
        )


def _publication(attempt: Attempt, spec: TrainingSpec, files: Mapping[str, bytes]) -> Publish:
    runtime, job = attempt.runtime, attempt.job
    release_id = ids.new_id(ids.RELEASE)
    hashes = {
        name: runtime.store.put(keys.release_file(release_id, name), data).sha256
        for name, data in files.items()
    }
    config = json.loads(files["generator.json"])
    values = {
        "job_id": job.id,
        "catalog_id": spec.catalog_id,
        "catalog_version": spec.catalog_version,
        "size": config["size"],
        "channels": config["channels"],
        "vocabulary": config["vocabulary"],
        "card": json.loads(files["card.json"]),
        "artifact": keys.release(release_id),
        "sha256": hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest(),
    }

    def publish(tx: Transaction) -> Outcome:
        release = models.publish(
            tx, job.site_id, model=spec.model, release_id=release_id, values=values
        )
        return Outcome(
            {
                "release_id": release.id,
                "release_number": release.number,
                "model_id": release.model_id,
                "model": release.model,
                "url": release.url,
                "grid_url": release.grid_url,
            }
        )

    attempt.after_success(lambda: _tidy(runtime.store, job.id))
    return publish


def _tidy(store: ArtifactStore, job_id: str) -> None:
    """Remove the checkpoints of a training that is over."""
    for key in list(store.keys(keys.checkpoints(job_id))):
        store.delete(key)

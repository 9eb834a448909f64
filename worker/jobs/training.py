"""Training jobs: a catalog version in, a release out."""

import hashlib
import json
import logging
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from shared import ids
from shared.artifacts import ArtifactStore, keys
from shared.clock import utc_now
from shared.errors import ReleaseCorruptError
from shared.metrics import DEVICE_SECONDS, TRAINING_IMAGES, Tally
from shared.records import Transaction, catalogs, models
from shared.schemas.jobs import MetricPoint, Preview, Progress, TrainingSpec
from shared.schemas.models import Needs, Release
from worker.attempt import Attempt, Outcome, Publish
from worker.gan.data import Dataset
from worker.jobs.datasets import load_dataset
from worker.jobs.extractors import KeptExtractors
from worker.jobs.indexing import Built, index_catalog
from worker.runtime import Runtime

LOG: Final = logging.getLogger(__name__)

_STEP_SHARE: Final = 0.05

METRIC_POINTS: Final = 60
"""Readings of the metric that a poll shows: enough for a curve, small enough for each poll."""


def train(attempt: Attempt) -> Publish:
    """Train on what the spec names, and return how to publish the release.

    What the training held is given back, however it ends.

    Raises:
        CancelledError, DrainedError, LeaseLostError: it was stopped; a checkpoint is kept.
    """
    from worker.gan.device import forget, prepare

    spec = TrainingSpec.model_validate(attempt.job.spec)
    prepare()
    try:
        return _train(attempt, spec)
    finally:
        forget()


def _train(attempt: Attempt, spec: TrainingSpec) -> Publish:
    from worker.gan.train import TrainingInterrupted
    from worker.gan.train import train as train_gan
    from worker.jobs.checkpoints import ArtifactCheckpoints

    attempt.report(Progress(fraction=0, message="loading the catalog"))
    dataset = load_dataset(attempt.runtime, spec)
    checkpoints = ArtifactCheckpoints(attempt.runtime.store, attempt.job.id, attempt.job.fence)
    start = None
    if spec.from_release is not None:
        start = start_files(attempt.runtime, spec.from_release, site_id=attempt.job.site_id)
    judging = _judging(attempt, spec, dataset)
    try:
        trained = train_gan(
            recipe_of(spec),
            dataset,
            checkpoints,
            on_progress=_Reporter(attempt),
            should_stop=attempt.should_stop,
            start=start,
            judge=judging,
        )
    except TrainingInterrupted:
        attempt.raise_if_stopped()
        raise
    trained, extractors = _measured(attempt, spec, trained, dataset, judging)
    index = index_catalog(
        attempt.runtime, spec, extractors, dataset=dataset, steps=judging.steps,
        on_progress=_Step(attempt, "learning what garments look like"),
    )  # fmt: skip
    return _publication(attempt, spec, trained.files(), index)


def _judging(attempt: Attempt, spec: TrainingSpec, dataset: Dataset) -> Any:
    """Return what judges the training, with the extractors that an earlier one left."""
    from worker.gan.judging import Judging, steps_for

    budget = spec.budget
    steps = steps_for(dataset.n, minutes=budget.minutes, images=budget.images)
    kept = KeptExtractors(attempt.runtime.store, spec, dataset, steps)
    told = _Step(attempt, "learning to judge")
    return Judging(kept.read(), steps=steps, keep=kept.write, on_progress=told)


def _measured(
    attempt: Attempt, spec: TrainingSpec, trained: Any, dataset: Dataset, judging: Any
) -> tuple[Any, dict[str, bytes]]:
    """Return the release with its figures and what measured it, which is kept."""
    from worker.gan.measuring import depth_for, with_figures

    measured, files = with_figures(
        trained, dataset, judging, heldout=spec.heldout, depth=depth_for(spec.budget.minutes),
        on_progress=_Step(attempt, "measuring"),
    )  # fmt: skip
    KeptExtractors(attempt.runtime.store, spec, dataset, judging.steps).write(files)
    return measured, files


class _Step:
    """Says what is done before or after the training itself, and stops when the job must."""

    def __init__(self, attempt: Attempt, message: str) -> None:
        self._attempt = attempt
        self._message = message
        self._told = -1.0

    def __call__(self, share: float) -> None:
        self._attempt.raise_if_stopped()
        if share - self._told >= _STEP_SHARE or share >= 1:
            self._told = share
            message = f"{self._message}, {share:.0%}"
            self._attempt.report(Progress(fraction=0.0 if share < 1 else None, message=message))


def recipe_of(spec: TrainingSpec) -> Any:
    """Return the GAN engine's recipe for a spec."""
    from worker.gan.recipe import Recipe

    return Recipe(
        preset=spec.preset,
        width=spec.width,
        precision=spec.precision,
        balance=spec.balance,
        minutes=spec.budget.minutes,
        images=spec.budget.images,
        early_stop=spec.early_stop,
        heldout=spec.heldout,
        seed=spec.seed,
        preview_seconds=spec.preview_seconds,
        checkpoint_seconds=spec.checkpoint_seconds,
    )


def start_files(runtime: Runtime, release_id: str, *, site_id: str) -> dict[str, bytes]:
    """Return the files of the release that a training goes on from, by name.

    Raises:
        NotFoundError: the site has no such release.
        ReleaseCorruptError: its weights are not in the store.
    """
    with runtime.records.reading() as tx:
        place = models.release(tx, release_id, site_id=site_id, own=True)
    files = {
        key.removeprefix(place.artifact): runtime.store.read(key)
        for key in sorted(runtime.store.keys(place.artifact))
    }
    lost = [name for name in ("generator.npz", "generator.json") if name not in files]
    if lost:
        raise ReleaseCorruptError(
            f"Release {release_id} has lost its {' and '.join(lost)}, so no training can go on "
            "from it. Restore the artifact store from a backup, or train anew.",
            release=release_id,
        )
    return files


class _Reporter:
    """Passes the engine's progress on, and keeps the newest sample grid."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._url: str | None = None
        self._at = time.monotonic()
        self._images: int | None = None

    def __call__(self, progress: Any) -> None:
        from worker.gan.grid import png

        self._count(progress.images_seen)
        job = self._attempt.job
        if progress.grid is not None and not self._attempt.is_another_s:
            key = keys.preview(job.id, job.fence)
            artifact = self._attempt.runtime.store.put(key, png(progress.grid))
            # The hash makes each grid's address its own, so that a browser shows the new one.
            self._url = f"/v1/jobs/{job.id}/preview?v={artifact.sha256[:12]}"
            self._attempt.show(
                Preview(url=self._url, step=progress.step, images_seen=progress.images_seen)
            )
        self._attempt.report(
            Progress(
                fraction=min(max(progress.fraction, 0.0), 1.0),
                message="training",
                eta_seconds=progress.eta_seconds,
                step=progress.step,
                images_seen=progress.images_seen,
                images_per_second=progress.images_per_second,
                losses=dict(progress.losses),
                metric=progress.metric,
                metrics=metric_points(progress.metrics),
                preview_url=self._url,
            )
        )

    def _count(self, images: int) -> None:
        """Count what was done since the last time; after a resume the first report only begins."""
        now, tally = time.monotonic(), Tally()
        tally.add(DEVICE_SECONDS, now - self._at, "training")
        if self._images is not None:  # after a collapse it goes back to fewer, which adds nothing
            tally.add(TRAINING_IMAGES, images - self._images)
        self._at, self._images = now, images
        self._attempt.runtime.counters.send(tally)


def metric_points(readings: Sequence[Mapping[str, float]]) -> tuple[MetricPoint, ...]:
    """Return a metric's curve as polls show it: evenly thinned, its first and last reading kept.

    Readings that are no finite number are left out: JSON has no word for them.
    """
    good = [one for one in readings if math.isfinite(one["value"])]
    chosen = np.linspace(0, len(good) - 1, min(len(good), METRIC_POINTS)).round().astype(int)
    return tuple(_point(good[place]) for place in chosen.tolist())


def _point(reading: Mapping[str, float]) -> MetricPoint:
    edges = {name: reading.get(name) for name in ("low", "high")}
    return MetricPoint(
        images=int(reading["images"]),
        seconds=reading["seconds"],
        value=reading["value"],
        **{name: edge for name, edge in edges.items() if edge is not None and math.isfinite(edge)},
    )


def baselines_among(releases: Iterable[Release], *, preset: str) -> list[dict[str, Any]]:
    """Return the figures of the newest release of each other preset, to stand beside a new one's.

    Args:
        releases: of the same catalog version, newest first.
        preset: of the new release.
    """
    found: dict[str, dict[str, Any]] = {}
    for release in releases:
        theirs = str(release.card.get("recipe", {}).get("preset", ""))
        figures = release.card.get("figures")
        if theirs and theirs != preset and figures and theirs not in found:
            found[theirs] = {"preset": theirs, "release": release.id, "figures": figures}
    return list(found.values())


def described(
    files: Mapping[str, bytes],
    *,
    spec: TrainingSpec,
    origin: Mapping[str, str | int],
    baselines: Sequence[Mapping[str, Any]] = (),
) -> dict[str, bytes]:
    """Return a release's files with the card that says where they come from, and its page.

    Args:
        files: what the engine made.
        spec: what was asked.
        origin: where the release comes from, such as its model and catalog, by name.
        baselines: figures of other presets on the same garments.
    """
    from worker.gan.card_page import render

    card = json.loads(files["card.json"])
    slots = json.loads(files["generator.json"]).get("slots", 0)
    card |= {"slots": slots, "origin": dict(origin), "spec": spec.model_dump(mode="json")}
    card["baselines"] = list(baselines)
    card["needs"] = _needs(files).model_dump(mode="json")
    return {
        **files,
        "card.json": json.dumps(card, indent=1).encode(),
        "card.html": render(card, grid=files["grid.png"]),
    }


def _needs(files: Mapping[str, bytes]) -> Needs:
    """Return what a worker must have to make designs with a release."""
    from worker.gan.release import unpacked

    weights = unpacked(files["generator.npz"])
    version = json.loads(files["generator.json"])["format"]
    return Needs(format=version, memory=sum(one.nbytes for one in weights))


def _origin(attempt: Attempt, spec: TrainingSpec, release_id: str) -> dict[str, str | int]:
    with attempt.runtime.records.reading() as tx:
        catalog = catalogs.own(tx, attempt.job.site_id, spec.catalog_id)
    return {
        "release": release_id,
        "model": spec.model,
        "catalog": catalog.name,
        "catalog_id": catalog.id,
        "catalog_version": spec.catalog_version,
        "job": attempt.job.id,
        "made_at": utc_now().isoformat(timespec="seconds"),
    }


def _baselines(
    attempt: Attempt, spec: TrainingSpec, made: Mapping[str, bytes]
) -> list[dict[str, Any]]:
    with attempt.runtime.records.reading() as tx:
        releases = models.releases_of_version(
            tx, attempt.job.site_id, spec.catalog_id, spec.catalog_version
        )
    return baselines_among(releases, preset=json.loads(made["generator.json"])["preset"])


def _publication(
    attempt: Attempt, spec: TrainingSpec, made: Mapping[str, bytes], index: Built
) -> Publish:
    runtime, job = attempt.runtime, attempt.job
    release_id = ids.new_id(ids.RELEASE)
    files = described(
        made,
        spec=spec,
        origin=_origin(attempt, spec, release_id),
        baselines=_baselines(attempt, spec, made),
    )
    hashes = {
        name: runtime.store.put(keys.release_file(release_id, name), data).sha256
        for name, data in files.items()
    }
    index_id = index.store(runtime.store)
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
        index.publish(tx, job.site_id, index_id)
        return Outcome(
            {
                "release_id": release.id,
                "release_number": release.number,
                "model_id": release.model_id,
                "model": release.model,
                "url": release.url,
                "grid_url": release.grid_url,
                "card_url": release.card_url,
            }
        )

    attempt.after_success(lambda: _tidy(runtime.store, job.id))
    return publish


def _tidy(store: ArtifactStore, job_id: str) -> None:
    """Remove the checkpoints of a training that is over."""
    for key in list(store.keys(keys.checkpoints(job_id))):
        store.delete(key)

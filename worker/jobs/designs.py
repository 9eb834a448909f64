"""Design jobs: all that waits for one release, in one batch."""

import logging
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final

from pydantic import ValidationError

from shared.artifacts import Artifact, ArtifactStore, keys
from shared.errors import InvalidInputError, QueueUnavailableError, ReleaseCorruptError
from shared.jobs import lifecycle
from shared.jobs.lifecycle import LeaseLostError
from shared.logging import job_context
from shared.records import Transaction, designs, jobs, models
from shared.schemas.base import Schema
from shared.schemas.jobs import DesignSpec, JobRecord
from worker.attempt import CancelledError, Heartbeat, Outcome, end_badly, succeed
from worker.designs.batch import Generates, Made, make
from worker.designs.marks import design_id, stamp_of
from worker.runtime import Runtime

LOG: Final = logging.getLogger(__name__)


class DesignResult(Schema):
    """What a design job's ``result`` holds."""

    release_id: str
    designs: tuple[dict[str, Any], ...]


class Generators:
    """The releases that this process has in memory, least recently used first out."""

    def __init__(self) -> None:
        self._loaded: OrderedDict[str, Generates] = OrderedDict()

    def get(self, runtime: Runtime, release_id: str) -> Generates:
        """Return a release's generator, loading it on first use.

        Raises:
            NotFoundError: there is no such release.
            ReleaseCorruptError: its files are missing or damaged.
        """
        if release_id not in self._loaded:
            self._loaded[release_id] = _load(runtime, release_id)
            while len(self._loaded) > runtime.settings.models_in_memory:
                self._loaded.popitem(last=False)
        self._loaded.move_to_end(release_id)
        return self._loaded[release_id]


# One a process: a forked child starts with none and fills its own.
_generators: Final = Generators()


def drain_release(runtime: Runtime, release_id: str) -> None:
    """Make the designs that have accumulated for a release, up to one batch.

    1. Take the hint away, so that a job that comes from now on sends a new one.
    2. Claim what waits, oldest first, up to the batch limit.
    3. If more waits, send a hint at once: another worker starts while this one computes.
    4. Make all, publish all; each member has its own outcome.
    """
    _clear_hint(runtime, release_id)
    with runtime.records.transaction() as tx:
        claimed = lifecycle.claim_designs(
            tx,
            release_id,
            worker=runtime.worker,
            lease=runtime.lease,
            max_attempts=runtime.settings.max_attempts,
            most_images=runtime.settings.batch_limit,
        )
        more = bool(claimed) and jobs.waiting_design(tx, release_id)
    if more:
        _hint_again(runtime, release_id)
    if claimed:
        with job_context(claimed[0].id), Heartbeat(runtime, claimed) as heartbeat:
            _make_all(runtime, release_id, claimed, heartbeat)


def _make_all(
    runtime: Runtime, release_id: str, claimed: Sequence[JobRecord], heartbeat: Heartbeat
) -> None:
    members: list[tuple[JobRecord, DesignSpec]] = []
    for job in claimed:
        try:
            members.append((job, DesignSpec.model_validate(job.spec)))
        except ValidationError as error:
            end_badly(runtime, job, InvalidInputError(f"The job's spec cannot be read: {error}"))
    try:
        generator = _generators.get(runtime, release_id)
        made = make(
            generator,
            [spec for _, spec in members],
            is_wanted=lambda index: not heartbeat.is_cancelled(members[index][0].id),
            stamp=lambda index, place: stamp_of(members[index][0].id, members[index][1], place),
        )
    except Exception as error:  # noqa: BLE001 - whatever it is, each member must end as a state
        for job, _ in members:
            end_badly(runtime, job, error)
        return
    images = sum(len(one.pictures) for one in made)
    LOG.info("Made %d images for %d jobs of release %s", images, len(members), release_id)
    _publish_all(runtime, members, made, heartbeat)


def _publish_all(
    runtime: Runtime,
    members: Sequence[tuple[JobRecord, DesignSpec]],
    made: Sequence[Made],
    heartbeat: Heartbeat,
) -> None:
    failed: list[tuple[JobRecord, Exception]] = []
    stored: list[tuple[JobRecord, DesignSpec, list[dict[str, Any]]]] = []
    for (job, spec), one in zip(members, made, strict=True):
        if heartbeat.is_cancelled(job.id):
            failed.append((job, CancelledError()))
        elif one.error is not None:
            failed.append((job, one.error))
        else:
            try:
                stored.append((job, spec, _store(runtime.store, job, spec, one)))
            except Exception as error:  # noqa: BLE001 - it is this member's end, not the batch's
                failed.append((job, error))
    with runtime.records.transaction() as tx:
        for job, spec, rows in stored:
            _publish(tx, job, spec, rows)
    for job, cause in failed:
        end_badly(runtime, job, cause)


def _publish(
    tx: Transaction, job: JobRecord, spec: DesignSpec, rows: Sequence[dict[str, Any]]
) -> None:
    shown = tuple(
        {
            "id": row["id"],
            "seed": row["seed"],
            "condition": row["condition"],
            "url": f"/v1/designs/{row['id']}",
            "image_url": f"/v1/designs/{row['id']}/image",
        }
        for row in rows
    )
    result = DesignResult(release_id=spec.release_id, designs=shown)
    try:
        # The end comes first: where the lease is lost, no row of this member is written, and the
        # other members of the transaction are none the worse.
        succeed(tx, job, Outcome(result.model_dump(mode="json")))
    except LeaseLostError as lost:
        LOG.warning("Nothing written: %s", lost)
        return
    designs.publish(tx, rows)


def _store(
    store: ArtifactStore, job: JobRecord, spec: DesignSpec, made: Made
) -> list[dict[str, Any]]:
    rows = []
    for position, picture in enumerate(made.pictures):
        made_id = design_id(job.id, position)
        key = keys.design(job.id, job.fence, made_id, spec.format.value)
        artifact: Artifact = store.put(key, picture.data)
        rows.append(
            {
                "id": made_id,
                "site_id": job.site_id,
                "job_id": job.id,
                "release_id": spec.release_id,
                "position": position,
                "seed": picture.seed,
                "condition": dict(picture.condition),
                "size": spec.size,
                "format": spec.format.value,
                "artifact": artifact.key,
                "sha256": artifact.sha256,
                "perceptual_hash": picture.perceptual_hash,
            }
        )
    return rows


def _load(runtime: Runtime, release_id: str) -> Generates:
    from worker.gan.device import prepare
    from worker.gan.release import load_generator

    prepare()
    with runtime.records.reading() as tx:
        place = models.release(tx, release_id)
    names = ("generator.npz", "generator.json")
    try:
        files = {name: runtime.store.read(f"{place.artifact}{name}") for name in names}
    except FileNotFoundError as error:
        raise ReleaseCorruptError(
            f"Release {release_id} has lost its file {error}. Restore the artifact store from a "
            "backup, or train the model again.",
            release=release_id,
        ) from error
    LOG.info("Loaded release %s", release_id)
    return load_generator(files)


def _clear_hint(runtime: Runtime, release_id: str) -> None:
    try:
        runtime.sender.clear_hint(release_id)
    except QueueUnavailableError as error:
        LOG.warning("The hint stays until it expires: %s", error)


def _hint_again(runtime: Runtime, release_id: str) -> None:
    try:
        runtime.sender.hint_release(release_id)
    except QueueUnavailableError as error:
        LOG.warning("Upkeep will send for the rest: %s", error)

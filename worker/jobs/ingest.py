"""Ingest jobs: a site's files in, garments and shards out, as the catalog's next version."""

import logging
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared import ids
from shared.artifacts import ArtifactStore, keys
from shared.errors import ForbiddenError, NotFoundError
from shared.jobs.submit import enqueue, send
from shared.records import Transaction, catalogs, garments
from shared.records.catalogs import Columns
from shared.records.garments import KnownGarment
from shared.schemas.catalogs import Catalog, IngestResult, Rejection
from shared.schemas.catalogs import GarmentFields as Fields
from shared.schemas.jobs import IngestSpec, PathSource, Progress, TrendSpec, UploadSource
from shared.schemas.trends import TrendOptions
from worker.attempt import Attempt, Outcome, Publish
from worker.catalogs.garments import (
    GarmentBatch,
    GarmentDraft,
    GarmentFields,
    IngestOutcome,
    IngestProgress,
    KnownGarments,
    Master,
    Source,
)
from worker.catalogs.ingest import ingest
from worker.catalogs.limits import DEFAULT_LIMITS
from worker.catalogs.shards import open_shard, write_shard
from worker.catalogs.sources import OnePicture, open_source
from worker.jobs.columns import columns_key, observations_of, row_of, store_columns
from worker.runtime import Runtime

LOG: Final = logging.getLogger(__name__)

_NAMED: Final = 1_000
_UNSAFE: Final = re.compile(r"[^\w.\- ]")


def ingest_garments(attempt: Attempt) -> Publish:
    """Take in what the spec names, and return how to publish it as the next version.

    Raises:
        UnreadableSourceError, TooLargeError: the source as a whole cannot be taken in.
        CancelledError, DrainedError, LeaseLostError: it was stopped; nothing is kept.
    """
    spec = IngestSpec.model_validate(attempt.job.spec)
    runtime, started = attempt.runtime, time.monotonic()
    with runtime.records.reading() as tx:
        catalog = catalogs.get(tx, attempt.job.site_id, spec.catalog_id)
        known = garments.known(tx, spec.catalog_id)
    sink = ShardSink(runtime.store, spec.catalog_id)
    with _opened(runtime, spec) as source:
        outcome = take_in(attempt, source, catalog, known, sink)
    if isinstance(spec.source, UploadSource):
        artifact = spec.source.artifact
        attempt.after_success(lambda: runtime.store.delete(artifact))
    return _publication(attempt, catalog, outcome, sink, seconds=time.monotonic() - started)


def take_in(
    attempt: Attempt,
    source: Source,
    catalog: Catalog,
    known: Sequence[KnownGarment],
    sink: "ShardSink",
) -> IngestOutcome:
    """Read a source into a sink, telling how far it is.

    Raises:
        CancelledError, DrainedError, LeaseLostError: it was stopped; nothing is kept.
    """
    outcome = ingest(
        source,
        limits=DEFAULT_LIMITS,
        known=_known(attempt.runtime, known),
        master=_master(catalog),
        size=catalog.image_size,
        sink=sink,
        on_progress=lambda progress: attempt.report(_shown(progress)),
        should_stop=attempt.should_stop,
    )
    attempt.raise_if_stopped()
    return outcome


def _known(runtime: Runtime, known: Sequence[KnownGarment]) -> KnownGarments:
    opened: dict[str, NDArray[np.uint8]] = {}

    def look(row: int) -> NDArray[np.uint8]:
        garment = known[row]
        if garment.artifact not in opened:
            cache = runtime.settings.cache_folder
            opened[garment.artifact] = open_shard(runtime.store.fetch(garment.artifact, cache))
        return np.asarray(opened[garment.artifact][garment.shard_index])

    return KnownGarments(
        names=tuple(one.id for one in known),
        sha256s=tuple(one.sha256 for one in known),
        phashes=tuple(one.perceptual_hash for one in known),
        look=look,
    )


class ShardSink:
    """Stores each batch as a shard and keeps the rows that will speak of it."""

    def __init__(
        self,
        store: ArtifactStore,
        catalog_id: str,
        *,
        defaults: Callable[[dict[str, Any]], dict[str, Any]] = lambda row: row,
    ) -> None:
        self._store = store
        self._defaults = defaults
        self._catalog_id = catalog_id
        self._ids: dict[str, str] = {}
        self.shards: list[dict[str, Any]] = []
        self.garments: list[dict[str, Any]] = []

    def __call__(self, batch: GarmentBatch) -> None:
        """Store one batch; its rows appear only when the whole ingest is published."""
        shard_id = ids.new_id(ids.SHARD)
        artifact = _store_shard(self._store, keys.shard(self._catalog_id, shard_id), batch.pixels)
        self.shards.append(
            {
                "id": shard_id,
                "position": len(self.shards),
                "count": len(batch.garments),
                "artifact": artifact.key,
                "sha256": artifact.sha256,
            }
        )
        for index, draft in enumerate(batch.garments):
            garment_id = ids.new_id(ids.GARMENT)
            twin = draft.near_duplicate_of
            row = _row(draft, near=None if twin is None else self._ids.get(twin, twin))
            self._ids[draft.name] = garment_id
            place = {"id": garment_id, "shard_id": shard_id, "shard_index": index}
            self.garments.append({**place, **self._defaults(row)})

    def columns(self) -> Columns | None:
        """Store what trend reports read of the garments; None where there are none."""
        if not self.garments:
            return None
        observed = observations_of(row_of(garment) for garment in self.garments)
        return store_columns(self._store, columns_key(self._catalog_id), observed)


def _store_shard(store: ArtifactStore, key: str, pixels: NDArray[np.uint8]) -> Any:
    with tempfile.TemporaryDirectory(prefix="toile-") as folder:
        path = Path(folder) / "shard.npy"
        write_shard(path, pixels)
        return store.put(key, path)


def _row(draft: GarmentDraft, *, near: str | None) -> dict[str, Any]:
    return {
        "name": draft.name,
        "sha256": draft.sha256,
        "perceptual_hash": draft.phash,
        "attributes": dict(draft.attributes),
        "colour_measured": draft.colour_family is not None and not draft.colour_given,
        "palette": [
            [
                round(colour.lightness, 2),
                round(colour.a, 2),
                round(colour.b, 2),
                round(colour.weight, 4),
                colour.family,
            ]
            for colour in draft.palette
        ],
        "date": draft.date,
        "weight": draft.weight,
        "segment": draft.segment,
        "source": draft.source,
        "account": draft.account,
        "near_duplicate_of": near,
    }


@contextmanager
def _opened(runtime: Runtime, spec: IngestSpec) -> Iterator[Source]:
    """Open the spec's source under the name that its sender knows it by."""
    if isinstance(spec.source, PathSource):
        yield open_source(_allowed(runtime, spec.source.path))
        return
    path = fetched(runtime, spec.source)
    if spec.source.fields is not None:
        fields = _said(spec.source.fields)
        yield OnePicture(spec.source.name, path.read_bytes(), fields)
        return
    with opened_archive(path, spec.source.name) as source:
        yield source


@contextmanager
def opened_archive(path: Path, name: str) -> Iterator[Source]:
    """Open an archive under the name that its sender knows it by."""
    with tempfile.TemporaryDirectory(prefix="toile-") as folder:
        named = Path(folder) / (_UNSAFE.sub("_", name)[-100:].lstrip(".") or "upload")
        named.symlink_to(path)
        yield open_source(named)


def _said(fields: Fields) -> GarmentFields:
    return GarmentFields(
        attributes=dict(fields.attributes),
        date=fields.date,
        weight=fields.weight,
        segment=fields.segment,
        source=fields.source,
        account=fields.account,
    )


def fetched(runtime: Runtime, source: UploadSource) -> Path:
    """Return a local copy of an upload.

    Raises:
        NotFoundError: it is no longer in the store.
    """
    try:
        return runtime.store.fetch(source.artifact, runtime.settings.cache_folder)
    except FileNotFoundError:
        raise NotFoundError(
            f"The upload of {source.name!r} is no longer in the store. Send it again.",
            artifact=source.artifact,
        ) from None


def _allowed(runtime: Runtime, path: str) -> Path:
    # The web process has looked already; but a link may have been turned since.
    resolved = Path(path).resolve()
    roots = [root.resolve() for root in runtime.settings.import_roots]
    if not any(resolved.is_relative_to(root) for root in roots):
        raise ForbiddenError(
            f"{path} is under none of the folders that may be read. An operator can add its "
            "folder to TOILE_IMPORT_ROOTS; or upload the files instead.",
            path=path,
        )
    return resolved


def _master(catalog: Catalog) -> Master | None:
    """Return the size and channels that the catalog's first ingest gave it, or None before."""
    if catalog.image_size is None or catalog.channels is None:
        return None
    return Master(catalog.image_size, catalog.channels)


def _shown(progress: IngestProgress) -> Progress:
    expected = max(progress.expected, progress.seen, 1)
    return Progress(
        fraction=progress.seen / expected,
        message="reading pictures",
        counts={
            "seen": progress.seen,
            "expected": progress.expected,
            "added": progress.added,
            "rejected": progress.rejected,
        },
    )


def _publication(
    attempt: Attempt, catalog: Catalog, outcome: IngestOutcome, sink: ShardSink, *, seconds: float
) -> Publish:
    columns = sink.columns()

    def publish(tx: Transaction) -> Outcome:
        version = publish_garments(tx, attempt, catalog, outcome, sink, columns)
        if outcome.dated and sink.garments:
            report_afresh(tx, attempt)
        result = IngestResult(
            catalog_id=catalog.id,
            version=version,
            added=outcome.added,
            merged=outcome.merged,
            near_duplicates=outcome.flagged,
            rejected=outcome.rejected,
            rejections=told(outcome.rejections),
            remarks=told(outcome.remarks),
            seconds=round(seconds, 3),
        )
        return Outcome(result.model_dump(mode="json"))

    return publish


def publish_garments(
    tx: Transaction,
    attempt: Attempt,
    catalog: Catalog,
    outcome: IngestOutcome,
    sink: ShardSink,
    columns: Columns | None,
) -> int:
    """Add what a sink holds as the catalog's next version; returns the version it is at then."""
    if not sink.garments or outcome.master is None:
        return catalog.version
    published = catalogs.publish_version(
        tx,
        catalog.id,
        job_id=attempt.job.id,
        after_version=catalog.version,
        shape=(outcome.master.size, outcome.master.channels),
        shards=sink.shards,
        garments=sink.garments,
        columns=columns,
    )
    return published.version


def report_afresh(tx: Transaction, attempt: Attempt) -> None:
    """Queue a trend report over what a job added, and send it once that is committed."""
    runtime, spec = attempt.runtime, TrendSpec(options=TrendOptions(), only_if_changed=True)
    period = f"after {attempt.job.id}"
    report = enqueue(tx, attempt.job.site_id, spec, period=period)
    attempt.after_success(lambda: send(runtime.records, runtime.sender, [report]))


def told(reports: Sequence[Any]) -> tuple[Rejection, ...]:
    """Return the first rejections or remarks of an engine, for a job's result."""
    return tuple(Rejection(name=one.name, reason=one.reason) for one in reports[:_NAMED])

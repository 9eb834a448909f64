"""Jobs that add a batch to a feed: counts become a column file, images become garments."""

import time
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared import ids
from shared.artifacts import keys
from shared.records import Transaction, catalogs, feeds, garments
from shared.schemas.feeds import BatchKind, BatchResult, Feed
from shared.schemas.jobs import FeedSpec, Progress
from worker.attempt import Attempt, Outcome, Publish
from worker.catalogs.counts import Coded, CountRows, read_counts
from worker.catalogs.garments import IngestOutcome
from worker.jobs.columns import account_name, store_columns
from worker.jobs.ingest import (
    ShardSink,
    fetched,
    opened_archive,
    publish_garments,
    report_afresh,
    take_in,
    told,
)
from worker.trends.observations import Observations

_UNKNOWN: Final = -1


def add_batch(attempt: Attempt) -> Publish:
    """Take in what the spec names, and return how to publish it as the feed's next batch.

    Raises:
        NotFoundError: the feed was deleted, or the upload is gone.
        UnreadableSourceError, TooLargeError: the file as a whole cannot be taken in.
        CancelledError, DrainedError, LeaseLostError: it was stopped; nothing is kept.
    """
    spec = FeedSpec.model_validate(attempt.job.spec)
    with attempt.runtime.records.reading() as tx:
        feed = feeds.get(tx, attempt.job.site_id, spec.feed_id)
    add = _add_counts if spec.holds is BatchKind.COUNTS else _add_images
    publish = add(attempt, spec, feed)
    artifact, store = spec.source.artifact, attempt.runtime.store
    attempt.after_success(lambda: store.delete(artifact))
    return publish


def observations_from(rows: CountRows, feed: Feed) -> Observations:
    """Turn counts into observations; what a row does not say, its feed says."""
    sources, source_names = _filled(rows.source, feed.source)
    segments, segment_names = _filled(rows.segment, feed.segment)
    accounts, account_names = _accounts(rows.account, sources, source_names)
    return Observations(
        dates=rows.days.astype("datetime64[D]"),
        weights=rows.weights * feed.weight,
        attributes={name: one.codes for name, one in rows.attributes.items()},
        vocabulary={name: one.values for name, one in rows.attributes.items()},
        segments=segments,
        segment_names=segment_names,
        counts=rows.counts,
        sources=sources,
        source_names=source_names,
        accounts=accounts,
        account_names=account_names,
    )


def _add_counts(attempt: Attempt, spec: FeedSpec, feed: Feed) -> Publish:
    started = time.monotonic()
    rows = read_counts(
        fetched(attempt.runtime, spec.source),
        spec.source.name,
        on_rows=lambda count: attempt.report(
            Progress(message="reading counts", counts={"seen": count})
        ),
        should_stop=attempt.should_stop,
    )
    attempt.raise_if_stopped()
    columns = None
    if len(rows):
        key = keys.feed_columns(feed.id, ids.new_id(ids.COLUMNS))
        columns = store_columns(attempt.runtime.store, key, observations_from(rows, feed))

    def publish(tx: Transaction) -> Outcome:
        number = None
        if columns is not None:
            values = {
                "kind": BatchKind.COUNTS,
                "revises": spec.revises,
                "rows": len(rows),
                "observations": float(rows.counts.sum()),
                "first": rows.days.min().item(),
                "last": rows.days.max().item(),
                "artifact": columns.artifact,
                "mark": columns.mark,
                "job_id": attempt.job.id,
            }
            number = feeds.add_batch(tx, feed.id, values).number
            report_afresh(tx, attempt)
        return _outcome(
            BatchResult(
                feed_id=feed.id,
                batch=number,
                kind=BatchKind.COUNTS,
                rows=len(rows),
                observations=float(rows.counts.sum()),
                merged=0,
                rejected=rows.rejected,
                rejections=told(rows.rejections),
                remarks=told(rows.remarks),
                seconds=round(time.monotonic() - started, 3),
            )
        )

    return publish


def _add_images(attempt: Attempt, spec: FeedSpec, feed: Feed) -> Publish:
    started, runtime = time.monotonic(), attempt.runtime
    with runtime.records.reading() as tx:
        catalog = catalogs.get(tx, attempt.job.site_id, feed.catalog_id)
        known = garments.known(tx, feed.catalog_id)
    sink = ShardSink(runtime.store, catalog.id, defaults=lambda row: _as_the_feed_says(row, feed))
    with opened_archive(fetched(runtime, spec.source), spec.source.name) as source:
        outcome = take_in(attempt, source, catalog, known, sink)
    columns = sink.columns()

    def publish(tx: Transaction) -> Outcome:
        number = None
        if sink.garments:
            version = publish_garments(tx, attempt, catalog, outcome, sink, columns)
            values = _image_batch(sink, version, attempt.job.id)
            number = feeds.add_batch(tx, feed.id, values).number
            if outcome.dated:
                report_afresh(tx, attempt)
        return _outcome(_image_result(feed, outcome, number, time.monotonic() - started))

    return publish


def _as_the_feed_says(row: dict[str, Any], feed: Feed) -> dict[str, Any]:
    return {
        **row,
        "source": row["source"] or feed.source,
        "segment": row["segment"] or feed.segment,
        "weight": row["weight"] * feed.weight,
    }


def _image_batch(sink: ShardSink, version: int, job_id: str) -> dict[str, Any]:
    days = [one["date"] for one in sink.garments if one["date"] is not None]
    return {
        "kind": BatchKind.IMAGES,
        "revises": False,
        "rows": len(sink.garments),
        "observations": float(len(sink.garments)),
        "first": min(days, default=None),
        "last": max(days, default=None),
        "catalog_version": version,
        "job_id": job_id,
    }


def _image_result(
    feed: Feed, outcome: IngestOutcome, number: int | None, seconds: float
) -> BatchResult:
    return BatchResult(
        feed_id=feed.id,
        batch=number,
        kind=BatchKind.IMAGES,
        rows=outcome.added,
        observations=float(outcome.added),
        merged=outcome.merged,
        rejected=outcome.rejected,
        rejections=told(outcome.rejections),
        remarks=told(outcome.remarks),
        seconds=round(seconds, 3),
    )


def _outcome(result: BatchResult) -> Outcome:
    return Outcome(result.model_dump(mode="json"))


def _filled(column: Coded, default: str | None) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Return a column's codes and values, with ``default`` where a row says nothing."""
    if default is None:
        return column.codes, column.values
    values = column.values if default in column.values else (*column.values, default)
    place = values.index(default)
    return np.where(column.codes == _UNKNOWN, place, column.codes).astype(np.int32), values


def _accounts(
    column: Coded, sources: NDArray[np.int32], source_names: tuple[str, ...]
) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Return each row's account with its source in its name."""
    known = column.codes != _UNKNOWN
    pairs = column.codes[known].astype(np.int64) * len(source_names) + sources[known]
    used, places = np.unique(pairs, return_inverse=True)
    codes = np.full(len(column.codes), _UNKNOWN, dtype=np.int32)
    codes[known] = places
    names = tuple(
        account_name(source_names[pair % len(source_names)],
                     column.values[pair // len(source_names)])
        for pair in used.tolist()
    )  # fmt: skip
    return codes, names

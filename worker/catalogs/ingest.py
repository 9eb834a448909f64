"""Ingest: a source in, measured garments out, in batches of a shard's worth.

What you can rely on:

- Garments reach the sink in the source's order, each batch once, full shards first.
- What cannot be taken in is named with its reason, and the rest goes on.
- The first batch of a catalog fixes its size and channels: grey when all of its pictures are grey.
- Besides one batch, only some 500 bytes a garment are kept in memory.
- The same source into the same catalog gives the same garments, palettes and hashes.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

import numpy as np

from shared.pictures.likeness import as_signed, perceptual_hashes
from shared.pictures.resize import to_channels
from worker.catalogs.duplicates import SeenGarments
from worker.catalogs.garments import (
    COLOUR,
    GarmentBatch,
    GarmentDraft,
    GarmentFields,
    GarmentSink,
    IngestOutcome,
    IngestProgress,
    KnownGarments,
    Master,
    Rejection,
    Remark,
    Source,
    SourceItem,
)
from worker.catalogs.images import (
    Picture,
    PictureError,
    choose_master_size,
    decode,
    from_array,
    measure,
    pillow_quiet,
)
from worker.catalogs.limits import DEFAULT_LIMITS, IngestLimits
from worker.catalogs.shards import shard_length
from worker.pictures.colours import MeasuredColours, measure_colours

_THREADS: Final = 2  # Pillow decodes without holding Python's lock
_AHEAD: Final = 32  # pictures decoded ahead
_PROBED: Final = 256  # pictures whose size decides the catalog's
_PROBED_BYTES: Final = 256 * 2**20
_REPORT_EVERY: Final = 64

_Arrival = Rejection | Remark | tuple[SourceItem, Picture | Rejection]


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A decoded picture that waits for its batch to be full."""

    name: str
    fields: GarmentFields
    picture: Picture


def ingest(  # noqa: PLR0913 - all but two have a default, and each stands for itself
    source: Source,
    *,
    sink: GarmentSink,
    limits: IngestLimits = DEFAULT_LIMITS,
    known: KnownGarments | None = None,
    master: Master | None = None,
    size: int | None = None,
    on_progress: Callable[[IngestProgress], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> IngestOutcome:
    """Take in a source, batch by batch.

    Args:
        source: from `worker.catalogs.sources.open_source`, or `OnePicture`.
        sink: stores one batch; called from this thread, full batches first, the rest at the end.
        limits: as the source was opened with.
        known: what the catalog holds, to merge and flag duplicates.
        master: the catalog's size and channels; None for its first ingest, which chooses them.
        size: the side that a first ingest must take, where the catalog's owner has named one.
        on_progress: called every 64 items and at the end.
        should_stop: asked every 64 items. What has reached the sink by then stays there.

    Raises:
        UnreadableSourceError, TooLargeError: the source turned out to be damaged or too large
            after it had been opened whole, as when a file changed under it.
    """
    run = _Ingest(source.expected, sink, SeenGarments(known or KnownGarments()), master, limits)
    with pillow_quiet(), ThreadPoolExecutor(_THREADS, thread_name_prefix="decode") as pool:
        items = iter(source.items())
        size = master.size if master else size
        if size is None:
            probed, size = _probe(items, limits)
            items = chain(probed, items)
        with closing(_decoded(items, pool, size, limits)) as arrivals:
            for arrival in arrivals:
                run.take(arrival)
                if run.seen % _REPORT_EVERY == 0:
                    on_progress(run.progress())
                    run.stopped = should_stop()
                if run.stopped:
                    break
    if not run.stopped:
        run.flush()
    on_progress(run.progress())
    return run.outcome()


class _Ingest:
    """The state of one ingest: what waits, what was counted, what was said."""

    def __init__(
        self,
        expected: int,
        sink: GarmentSink,
        seen: SeenGarments,
        master: Master | None,
        limits: IngestLimits,
    ) -> None:
        self.seen = 0
        self.stopped = False
        self._expected = expected
        self._sink = sink
        self._garments = seen
        self._master = master
        self._limits = limits
        self._waiting: list[_Waiting] = []
        self._counts: Counter[str] = Counter()
        self._vocabulary: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._rejections: list[Rejection] = []
        self._remarks: list[Remark] = []

    def take(self, arrival: _Arrival) -> None:
        """Count one thing from the source; a full batch goes to the sink."""
        if isinstance(arrival, Remark):
            self._remark(arrival)
            return
        self.seen += 1
        if isinstance(arrival, Rejection):
            self._reject(arrival)
            return
        item, picture = arrival
        if isinstance(picture, Rejection):
            self._reject(picture)
        elif self._garments.is_same(picture.sha256, item.name):
            self._counts["merged"] += 1
        else:
            self._waiting.append(_Waiting(item.name, item.fields, picture))
            if len(self._waiting) == shard_length(len(picture.pixels), self._channels()):
                self.flush()

    def flush(self) -> None:
        """Measure what waits and hand it to the sink."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        master = self._fixed_master(waiting)
        pixels = np.stack([to_channels(each.picture.pixels, master.channels) for each in waiting])
        small = np.stack([to_channels(each.picture.small, master.channels) for each in waiting])
        hashes = perceptual_hashes(small)
        twins = self._garments.add([each.name for each in waiting], hashes, small)
        colours: Iterable[MeasuredColours | None] = [None] * len(waiting)
        if master.channels > 1:
            colours = measure_colours(small)
        drafts = tuple(
            _draft(each, phash, twin, colour)
            for each, phash, twin, colour in zip(
                waiting, as_signed(hashes), twins, colours, strict=True
            )
        )
        self._sink(GarmentBatch(pixels, drafts))
        for draft in drafts:
            self._count(draft)

    def progress(self) -> IngestProgress:
        """Return how far it is."""
        added = self._counts["added"] + len(self._waiting)
        return IngestProgress(self.seen, self._expected, added, self._counts["rejected"])

    def outcome(self) -> IngestOutcome:
        """Return what came of it."""
        return IngestOutcome(
            added=self._counts["added"],
            merged=self._counts["merged"],
            flagged=self._counts["flagged"],
            rejected=self._counts["rejected"],
            rejections=tuple(self._rejections),
            remarks=tuple(self._remarks),
            master=self._master,
            vocabulary={name: dict(values) for name, values in self._vocabulary.items()},
            dated=self._counts["dated"],
            stopped=self.stopped,
        )

    def _channels(self) -> int:
        return self._master.channels if self._master else 3

    def _fixed_master(self, waiting: list[_Waiting]) -> Master:
        coloured = sum(each.picture.pixels.shape[2] > 1 for each in waiting)
        if self._master is None:
            size = len(waiting[0].picture.pixels)
            self._master = Master(size, 3 if coloured else 1)
        elif coloured and self._master.channels == 1 and not self._counts["greyed"]:
            self._remark(
                Remark(
                    next(w.name for w in waiting if w.picture.pixels.shape[2] > 1),
                    "this and other colour pictures were turned grey: the catalog is grey, as "
                    "all of its first pictures were.",
                )
            )
            self._counts["greyed"] += coloured
        return self._master

    def _count(self, draft: GarmentDraft) -> None:
        self._counts["added"] += 1
        self._counts["flagged"] += draft.near_duplicate_of is not None
        self._counts["dated"] += draft.date is not None
        for name, value in draft.attributes.items():
            self._vocabulary[name][value] += 1

    def _reject(self, rejection: Rejection) -> None:
        self._counts["rejected"] += 1
        if len(self._rejections) < self._limits.max_reports:
            self._rejections.append(rejection)

    def _remark(self, remark: Remark) -> None:
        if len(self._remarks) < self._limits.max_reports:
            self._remarks.append(remark)


def _draft(
    waiting: _Waiting, phash: int, twin: str | None, colours: MeasuredColours | None
) -> GarmentDraft:
    fields = waiting.fields
    given = COLOUR in fields.attributes
    attributes = dict(fields.attributes)
    if colours is not None and not given:
        attributes[COLOUR] = colours.family
    return GarmentDraft(
        name=waiting.name,
        sha256=waiting.picture.sha256,
        phash=phash,
        attributes=attributes,
        palette=colours.palette if colours else (),
        colour_family=colours.family if colours else None,
        colour_given=given,
        date=fields.date,
        weight=fields.weight,
        segment=fields.segment,
        source=fields.source,
        account=fields.account,
        near_duplicate_of=twin,
    )


def _probe(
    items: Iterator[SourceItem | Rejection | Remark], limits: IngestLimits
) -> tuple[list[SourceItem | Rejection | Remark], int]:
    """Read the first items ahead and choose the catalog's size from their headers."""
    probed, long_sides, held = [], [], 0
    for item in items:
        probed.append(item)
        if isinstance(item, SourceItem):
            held += len(item.content)
            try:
                long_sides.append(max(_size_of(item, limits)))
            except PictureError:
                continue  # decoding it will say the same, and reject it
        if len(long_sides) == _PROBED or held > _PROBED_BYTES:
            break
    return probed, choose_master_size(long_sides)


def _size_of(item: SourceItem, limits: IngestLimits) -> tuple[int, int]:
    if isinstance(item.content, bytes):
        return measure(item.content, limits)
    height, width = item.content.shape
    return width, height


def _decoded(
    items: Iterable[SourceItem | Rejection | Remark],
    pool: ThreadPoolExecutor,
    size: int,
    limits: IngestLimits,
) -> Generator[_Arrival, None, None]:
    """Decode in threads, a few pictures ahead; yields in the items' order."""
    ahead: deque[tuple[SourceItem, Future[Picture | Rejection]] | Rejection | Remark] = deque()
    try:
        for item in items:
            if not isinstance(item, SourceItem):
                ahead.append(item)
            elif isinstance(item.content, bytes):
                ahead.append(
                    (replace(item, content=b""), pool.submit(_picture, item, size, limits))
                )
            else:  # IDX pixels: cheaper to take than to send to a thread
                yield from _finished(ahead, keep=0)
                yield item, from_array(item.content, size=size)
            yield from _finished(ahead, keep=_AHEAD)
        yield from _finished(ahead, keep=0)
    finally:
        for waiting in ahead:
            if isinstance(waiting, tuple):
                waiting[1].cancel()


def _finished(
    ahead: "deque[tuple[SourceItem, Future[Picture | Rejection]] | Rejection | Remark]",
    *,
    keep: int,
) -> Iterator[_Arrival]:
    while len(ahead) > keep:
        first = ahead.popleft()
        yield (first[0], first[1].result()) if isinstance(first, tuple) else first


def _picture(item: SourceItem, size: int, limits: IngestLimits) -> Picture | Rejection:
    try:
        return decode(bytes(item.content), size=size, limits=limits)
    except PictureError as error:
        return Rejection(item.name, str(error))

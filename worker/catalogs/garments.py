"""What goes into an ingest and what comes out: items, garments, reports."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from worker.pictures.colours import PaletteColour

Pixels = NDArray[np.uint8]

CATEGORY = "category"
COLOUR = "colour"


@dataclass(frozen=True, slots=True)
class Rejection:
    """Something that was not taken in: its name in the source, and why, in plain words."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Remark:
    """Something about what was taken in that its owner should know, such as an unreadable date."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class GarmentFields:
    """What a source says about a garment.

    Attributes:
        attributes: label names to values, all in lower case; a missing name is unknown.
        date: the day it counts for in trends; None is unknown.
        weight: how much it counts in trends, such as units sold; 0 or more.
        segment: the part of the market it belongs to.
        source: where it was seen, such as a magazine.
        account: who showed it there.
    """

    attributes: Mapping[str, str] = field(default_factory=dict)
    date: dt.date | None = None
    weight: float = 1.0
    segment: str | None = None
    source: str | None = None
    account: str | None = None


@dataclass(frozen=True, slots=True)
class SourceItem:
    """One picture of a source: a file's bytes, or uint8 pixels ``[height, width]`` from IDX."""

    name: str
    content: bytes | Pixels
    fields: GarmentFields = field(default_factory=GarmentFields)


class Source(Protocol):
    """Where garments come from. Opening one checks it whole, as far as that needs no decoding."""

    @property
    def expected(self) -> int:
        """How many items and rejections `items` will yield, about."""

    def items(self) -> Iterator[SourceItem | Rejection | Remark]:
        """Yield everything once, in the source's own order; may be called again.

        A picture that cannot be read is yielded as a rejection and the rest goes on.
        """


@dataclass(frozen=True, slots=True)
class Master:
    """The size and channels in which a catalog keeps its garments; fixed by the first ingest."""

    size: int
    channels: int


@dataclass(frozen=True, slots=True)
class GarmentDraft:
    """A garment as measured, before it has an identifier.

    Attributes:
        sha256: hexadecimal hash of the decoded pixels: the same for the same picture, whatever
            its name or container.
        phash: 64-bit perceptual hash as a signed integer, which fits a BIGINT.
        attributes: given labels, and the measured ``colour`` when none was given.
        palette: measured colours, heaviest first; empty for a grey catalog.
        colour_family: the measured family of the main colour; None for a grey catalog.
        colour_given: whether ``attributes["colour"]`` came from the source.
        near_duplicate_of: the name of an earlier garment that looks nearly the same.
    """

    name: str
    sha256: str
    phash: int
    attributes: Mapping[str, str]
    palette: tuple[PaletteColour, ...]
    colour_family: str | None
    colour_given: bool
    date: dt.date | None
    weight: float
    segment: str | None
    source: str | None
    account: str | None
    near_duplicate_of: str | None


@dataclass(frozen=True, slots=True)
class GarmentBatch:
    """Garments to keep, with their pixels: uint8 ``[n, size, size, channels]``, a shard's worth."""

    pixels: Pixels
    garments: tuple[GarmentDraft, ...]


# Stores a batch durably before it returns; raising stops the ingest.
GarmentSink = Callable[[GarmentBatch], None]


@dataclass(frozen=True, slots=True)
class KnownGarments:
    """What a catalog holds already, row by row.

    Attributes:
        names: names or identifiers, as `GarmentDraft.near_duplicate_of` will give them.
        sha256s: as `GarmentDraft.sha256`.
        phashes: as `GarmentDraft.phash`.
        look: returns a row's pixels, uint8 ``[size, size, channels]``, to confirm that a new
            garment looks like it. Asked for a few rows in a hundred. Without it the hash decides
            alone and flags some garments too many.
    """

    names: tuple[str, ...] = ()
    sha256s: tuple[str, ...] = ()
    phashes: tuple[int, ...] = ()
    look: Callable[[int], Pixels] | None = None


@dataclass(frozen=True, slots=True)
class IngestProgress:
    """How far an ingest is; ``seen`` of about ``expected``."""

    seen: int
    expected: int
    added: int
    rejected: int


@dataclass(frozen=True, slots=True)
class IngestOutcome:
    """What came of an ingest.

    Attributes:
        added: garments handed to the sink.
        merged: exact duplicates of an earlier garment, left out.
        flagged: added garments that look nearly the same as an earlier one.
        rejected: how many things could not be taken in; ``rejections`` names the first of them.
        master: None when nothing was decoded and none was given.
        vocabulary: attribute, value, number of added garments.
        dated: added garments with a date.
        stopped: whether ``should_stop`` ended it early; what was handed over stays handed over.
    """

    added: int
    merged: int
    flagged: int
    rejected: int
    rejections: tuple[Rejection, ...]
    remarks: tuple[Remark, ...]
    master: Master | None
    vocabulary: Mapping[str, Mapping[str, int]]
    dated: int
    stopped: bool

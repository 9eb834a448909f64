"""Observations: dated, weighted garments (or plain counts) as columns."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.errors import InvalidInputError
from worker.trends.arrays import Bools, Dates, Floats

Codes = NDArray[np.int32]
Origins = NDArray[np.int8]
UNKNOWN: Final = -1
GIVEN: Final = 0
MEASURED: Final = 1
PREDICTED: Final = 2
STYLE: Final = 3
ORIGIN_NAMES: Final = ("given", "measured", "predicted", "style")
"""How a value came to be known, in code order: said by the source, measured from the picture, told
by a classifier, or found without labels."""


@dataclass(frozen=True)
class Observations:
    """What was seen: one row a garment, or one row for several alike (plain counts).

    Attributes:
        dates: ``datetime64[D]`` [n]; ``NaT`` where a garment carries no date.
        weights: finite, >= 0, [n]; engagement, sales, or 1. Rows of weight 0 are ignored.
        attributes: for each attribute, codes [n] into its vocabulary; -1 where not known.
        vocabulary: for each attribute, its values in code order.
        segments: codes [n] into ``segment_names`` (market, audience); -1 where not known.
        segment_names: the segments in code order.
        sources: codes [n] into ``source_names`` (a feed, the site's own catalogs); -1 where not
            known, everywhere when ``None``.
        source_names: the sources in code order.
        accounts: codes [n] into ``account_names`` (who posted it); -1 where not known, everywhere
            when ``None``.
        account_names: the accounts in code order; the same name in two sources is two accounts.
        origins: for some attributes, how each value is known, codes [n] into ``ORIGIN_NAMES``;
            an attribute that is missing here was given.
        ids: identifiers [n] as bytes of the rows that are garments with a picture; ``b""`` for
            others, and no row is one when ``None``. No part of the fingerprint.
        counts: how many garments each row stands for, >= 0, [n]; one each when ``None``. A count is
            not a weight: 50 garments are 50 pieces of evidence, one garment of weight 50 is one.
    """

    dates: Dates
    weights: Floats
    attributes: Mapping[str, Codes]
    vocabulary: Mapping[str, tuple[str, ...]]
    segments: Codes
    segment_names: tuple[str, ...] = ()
    counts: Floats | None = None
    sources: Codes | None = None
    source_names: tuple[str, ...] = ()
    accounts: Codes | None = None
    account_names: tuple[str, ...] = ()
    origins: Mapping[str, Origins] = field(default_factory=dict)
    ids: NDArray[np.bytes_] | None = None

    def __post_init__(self) -> None:
        if self.dates.dtype != np.dtype("datetime64[D]"):
            raise InvalidInputError(f"dates are {self.dates.dtype}; they must be datetime64[D]")
        _check_amounts("weight", self.weights, len(self))
        if self.counts is not None:
            _check_amounts("count", self.counts, len(self))
        if set(self.attributes) != set(self.vocabulary):
            raise InvalidInputError("attributes and vocabulary must name the same attributes")
        for name, codes in self.attributes.items():
            _check_codes(name, codes, self.vocabulary[name], len(self))
        _check_codes("segments", self.segments, self.segment_names, len(self))
        self._check_optional()

    def _check_optional(self) -> None:
        if self.sources is not None:
            _check_codes("sources", self.sources, self.source_names, len(self))
        if self.accounts is not None:
            _check_codes("accounts", self.accounts, self.account_names, len(self))
        if not set(self.origins) <= set(self.attributes):
            raise InvalidInputError("origins must name attributes that are there")
        for name, codes in self.origins.items():
            _check_shape(f"origins of {name}", codes, len(self))
        if self.ids is not None:
            _check_shape("ids", self.ids, len(self))

    def __len__(self) -> int:
        return len(self.dates)

    @property
    def dated(self) -> Bools:
        """Rows that can enter a series: with a date, a weight and a count above 0, [n]."""
        return ~np.isnat(self.dates) & (self.weights > 0) & (self.multiplicity > 0)

    @property
    def multiplicity(self) -> Floats:
        """How many garments each row stands for, [n]."""
        return np.ones(len(self)) if self.counts is None else self.counts

    def fingerprint(self) -> str:
        """Return a SHA-256 of the content: the same rows in any order give the same one.

        Codes are renumbered by sorted name first, so the order of a vocabulary and its unused
        values do not count either. About 1 s for 2 million rows.
        """
        columns: list[NDArray[np.int64]] = [
            self.dates.astype(np.int64),
            np.ascontiguousarray(self.weights, dtype=np.float64).view(np.int64),
            np.ascontiguousarray(self.multiplicity, dtype=np.float64).view(np.int64),
        ]
        heading: list[object] = [len(self)]
        for name in sorted(self.attributes):
            codes, used = _canonical(self.attributes[name], self.vocabulary[name])
            columns.append(codes)
            heading.append([name, used])
        for name in sorted(self.origins):
            columns.append(self.origins[name].astype(np.int64))
            heading.append(["origin", name])
        for grouping, names in self._groupings():
            canonical, used = _canonical(grouping, names)
            columns.append(canonical)
            heading.append(used)
        digest = hashlib.sha256(json.dumps(heading).encode())
        order = np.argsort(_mixed(columns), kind="stable")
        for column in columns:
            digest.update(column[order].astype("<i8").tobytes())
        return digest.hexdigest()

    def _groupings(self) -> Iterator[tuple[Codes, tuple[str, ...]]]:
        """Yield the segments, and the sources and accounts where there are any."""
        yield self.segments, self.segment_names
        if self.sources is not None:
            yield self.sources, self.source_names
        if self.accounts is not None:
            yield self.accounts, self.account_names


def from_rows(
    dates: Sequence[str | np.datetime64 | None] | Dates,
    attributes: Mapping[str, Sequence[str | None]],
    *,
    weights: Sequence[float] | Floats | None = None,
    counts: Sequence[float] | Floats | None = None,
    segments: Sequence[str | None] | None = None,
    sources: Sequence[str | None] | None = None,
    accounts: Sequence[str | None] | None = None,
) -> Observations:
    """Build observations from plain columns of equal length.

    Args:
        dates: ISO dates or ``datetime64``; ``None`` or ``""`` where not known.
        attributes: for each attribute the value of each row; ``None`` or ``""`` where not known.
        weights: one a row; 1 when not given.
        counts: garments a row stands for; 1 when not given.
        segments: one a row; none when not given.
        sources: one a row; none when not given.
        accounts: one a row; none when not given.

    Raises:
        InvalidInputError: a date cannot be read, or the columns differ in length.
    """
    days = _days(dates)
    coded = {name: encode(values) for name, values in attributes.items()}
    codes, names = encode(segments if segments is not None else [None] * len(days))
    source_codes, source_names = (None, ()) if sources is None else encode(sources)
    account_codes, account_names = (None, ()) if accounts is None else encode(accounts)
    return Observations(
        dates=days,
        weights=np.ones(len(days)) if weights is None else np.asarray(weights, dtype=np.float64),
        attributes={name: pair[0] for name, pair in coded.items()},
        vocabulary={name: pair[1] for name, pair in coded.items()},
        segments=codes,
        segment_names=names,
        counts=None if counts is None else np.asarray(counts, dtype=np.float64),
        sources=source_codes,
        source_names=source_names,
        accounts=account_codes,
        account_names=account_names,
    )


def _days(dates: Sequence[str | np.datetime64 | None] | Dates) -> Dates:
    if isinstance(dates, np.ndarray):
        return dates.astype("datetime64[D]")
    try:
        return np.array([day or "NaT" for day in dates], dtype="datetime64[D]")
    except ValueError as error:
        raise InvalidInputError(
            f"a date cannot be read ({error}); write dates like 2026-03-31"
        ) from error


def encode(values: Sequence[str | None]) -> tuple[Codes, tuple[str, ...]]:
    """Return codes [n] into the sorted names; -1 for ``None`` and ``""``."""
    names = tuple(sorted({value for value in values if value}))
    lookup = {name: code for code, name in enumerate(names)}
    codes = np.fromiter(
        (lookup[value] if value else UNKNOWN for value in values), dtype=np.int32, count=len(values)
    )
    return codes, names


def _mixed(columns: Sequence[NDArray[np.int64]]) -> NDArray[np.uint64]:
    """Return 64 bits of each row that depend on all of its columns, to sort rows by.

    Sorting by the columns themselves takes five times as long. Were two different rows ever to
    share their bits, only their order would be left to chance; the digest holds the columns.
    """
    bits = np.zeros(len(columns[0]), dtype=np.uint64)
    for column in columns:
        bits ^= column.view(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        bits *= np.uint64(0xBF58476D1CE4E5B9)  # the constants of SplitMix64 (Steele et al. 2014)
        bits ^= bits >> np.uint64(31)
    return bits


def _canonical(
    codes: NDArray[np.int32], names: Sequence[str]
) -> tuple[NDArray[np.int64], list[str]]:
    """Return codes renumbered by sorted used name, and those names."""
    present = np.bincount(codes[codes >= 0], minlength=len(names)) > 0
    used = sorted(name for name, seen in zip(names, present, strict=True) if seen)
    rank = {name: place for place, name in enumerate(used)}
    table = np.array([rank.get(name, UNKNOWN) for name in names] + [UNKNOWN], dtype=np.int64)
    return table[codes], used


def _check_shape(name: str, column: NDArray[np.generic], rows: int) -> None:
    if column.shape != (rows,):
        raise InvalidInputError(f"{name} has shape {column.shape}; there are {rows} dates")


def _check_amounts(name: str, column: Floats, rows: int) -> None:
    _check_shape(f"{name}s", column, rows)
    if not np.all(np.isfinite(column) & (column >= 0)):
        raise InvalidInputError(f"every {name} must be a finite number of at least 0")


def _check_codes(name: str, codes: Codes, names: Sequence[str], rows: int) -> None:
    _check_shape(name, codes, rows)
    if codes.dtype.kind != "i":
        raise InvalidInputError(f"the codes of {name} are {codes.dtype}; they must be integers")
    if rows and (int(codes.min()) < UNKNOWN or int(codes.max()) >= len(names)):
        raise InvalidInputError(f"a code of {name} is outside its {len(names)} values")
    if len(set(names)) != len(names):
        raise InvalidInputError(f"the vocabulary of {name} names a value twice")

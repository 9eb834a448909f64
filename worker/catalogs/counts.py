"""Reading plain counts: one row for what was seen of a kind on a day, as CSV or as JSON lines.

The written rules, beyond those of `worker.catalogs.fields` for names, values and dates:

- The day is the first of ``date``, ``day``, ``period``, ``period_start``, ``week`` and ``month``
  that is there; a week may also be written 2026-W14, which is its Monday. A row for a whole period
  carries the period's first day.
- How many is the first of ``count``, ``counts``, ``number`` and ``n``; without such a column each
  row is one. ``weight``, or else ``engagement``, says how much each of them weighs; 1 without.
- ``segment`` (or ``market`` and ``audience``), ``source`` and ``account`` are what they are of
  garments. All other columns are labels, but those that name or describe one item.
- In JSON lines the labels may also stand together, in an object ``attributes``.
- A row without a day, without any label, or with a number that is none is rejected by its line, and
  the rest goes on. Numbers are what counts are about, so none is guessed.
"""

import csv
import json
import math
import re
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from shared.errors import TooLargeError, UnreadableSourceError
from worker.catalogs.fields import (
    CATEGORY_COLUMNS,
    is_label,
    label_name,
    label_value,
    read_date,
    read_segment,
)
from worker.catalogs.garments import CATEGORY, Rejection, Remark

DATE_COLUMNS: Final = ("date", "day", "period", "period_start", "week", "month")
COUNT_COLUMNS: Final = ("count", "counts", "number", "n")
WEIGHT_COLUMNS: Final = ("weight", "engagement")
_WEEK: Final = re.compile(r"(\d{4})-?W(\d{2})")
_LARGEST: Final = 1e12
_UNKNOWN: Final = -1
_LONGEST_LABEL: Final = 80  # characters; longer is a text
_SEEN: Final = 200_000  # cells whose reading is remembered
_STOP_EVERY: Final = 4096


@dataclass(frozen=True, slots=True)
class CountLimits:
    """How much one file of counts may bring.

    Attributes:
        max_rows: rows with something in them.
        max_values: different values of a label; more is a text or a number.
        max_attributes: labels; the first ones count.
        max_reports: rejections kept by line; beyond that they are counted only.
    """

    max_rows: int = 5_000_000
    max_values: int = 50_000
    max_attributes: int = 32
    max_reports: int = 1_000


@dataclass(frozen=True)
class Coded:
    """A column as codes [n] into its values; -1 where not known."""

    codes: NDArray[np.int32]
    values: tuple[str, ...]


@dataclass(frozen=True)
class CountRows:
    """Counts as columns.

    Attributes:
        days: ``datetime64[D]`` [n].
        counts: how many each row stands for, >= 0, [n].
        weights: of each of those, >= 0, [n].
        attributes: labels by name.
        segment, source, account: who saw it where.
        rejected: rows that were not taken in; ``rejections`` names the first of them.
        remarks: what was taken in, but not as its owner may think.
    """

    days: NDArray[np.datetime64]
    counts: NDArray[np.float64]
    weights: NDArray[np.float64]
    attributes: Mapping[str, Coded]
    segment: Coded
    source: Coded
    account: Coded
    rejected: int
    rejections: tuple[Rejection, ...]
    remarks: tuple[Remark, ...]

    def __len__(self) -> int:
        return len(self.days)


class _RowError(ValueError):
    """A row cannot be used; the message is its rejection's reason."""


@dataclass
class _Coder:
    """Turns a column's cells into codes as they come."""

    codes: "array[int]" = field(default_factory=lambda: array("i"))
    known: dict[str, int] = field(default_factory=dict)

    def add(self, row: int, value: str | None) -> None:
        """Take the value of a row; rows between the last one and this had none."""
        if value is not None:
            self.fill(row)
            self.codes.append(self.known.setdefault(value, len(self.known)))

    def fill(self, rows: int) -> None:
        """Mark all rows up to this number as not known."""
        missing = rows - len(self.codes)
        if missing > 0:
            self.codes.extend([_UNKNOWN] * missing)

    def built(self, rows: int) -> Coded:
        """Return the column over all rows."""
        self.fill(rows)
        return Coded(np.array(self.codes, dtype=np.int32), tuple(self.known))


def read_counts(
    path: Path,
    name: str,
    *,
    limits: CountLimits = CountLimits(),
    on_rows: Callable[[int], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> CountRows:
    """Read a file of counts, line by line.

    Args:
        path: the file.
        name: as its sender knows it; decides how it is read, and stands in messages.
        limits: how much it may bring.
        on_rows: told every few thousand rows how many were read.
        should_stop: asked as often; what was read by then is returned.

    Raises:
        UnreadableSourceError: it is no UTF-8, no CSV, or has no column that gives the day.
        TooLargeError: it has too many rows.
    """
    reading = _Reading(name, limits)
    as_json = name.lower().endswith((".jsonl", ".ndjson"))
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = reading.json_rows(file) if as_json else reading.csv_rows(file)
            for number, (line, cells) in enumerate(rows, start=1):
                reading.take(line, cells)
                if number % _STOP_EVERY == 0:
                    on_rows(number)
                    if should_stop():
                        break
    except UnicodeDecodeError as error:
        raise UnreadableSourceError(
            f"{name} is not UTF-8 text, some way after line {reading.line}. Save the file as UTF-8 "
            "(in a spreadsheet: 'CSV UTF-8').",
            name=name,
        ) from error
    return reading.built()


class _Reading:
    """The state of one reading: columns as far as they are, and what was said."""

    def __init__(self, name: str, limits: CountLimits) -> None:
        self.line = 0
        self._name = name
        self._limits = limits
        self._rows = 0
        self._days = array("q")
        self._counts, self._weights = array("d"), array("d")
        self._attributes: dict[str, _Coder] = {}
        self._groups = {one: _Coder() for one in ("segment", "source", "account")}
        self._rejections: list[Rejection] = []
        self._rejected = 0
        self._remarks: dict[str, Remark] = {}
        self._ignored: set[str] = set()
        self._labels: dict[str, str | None] = {}
        self._dates: dict[str, int | None] = {}

    def csv_rows(self, file: IO[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """Yield rows under the header; commas, semicolons or tabs, whichever it has most of."""
        header = file.readline()
        if not header.strip():
            raise self._unreadable("is empty", line=1)
        delimiter = max(",;\t", key=header.count)
        names = [label_name(cell) for cell in next(csv.reader([header], delimiter=delimiter))]
        twins = sorted({one for one in names if one and names.count(one) > 1})
        if twins:
            raise self._unreadable(f"has more than one column named {', '.join(twins)}", line=1)
        if not set(names) & set(DATE_COLUMNS):
            raise self._unreadable(
                f"has no column that gives the day; expected one of {', '.join(DATE_COLUMNS)}, "
                f"found {', '.join(names)}",
                line=1,
            )
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        try:
            for cells in reader:
                self.line = reader.line_num + 1
                if len(cells) > len(names):
                    self._reject(f"the row has {len(cells)} cells; expected {len(names)}.")
                elif any(cells):
                    yield self.line, dict(zip(names, cells, strict=False))
        except csv.Error as error:
            raise self._unreadable(f"cannot be read as CSV: {error}", line=self.line) from error

    def json_rows(self, file: IO[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """Yield one object a line, its ``attributes`` beside its other cells."""
        for self.line, text in enumerate(file, start=1):
            if not text.strip():
                continue
            try:
                value = json.loads(text)
            except (ValueError, RecursionError) as error:
                self._reject(f"it is not JSON: {error}.")
                continue
            if not isinstance(value, dict):
                self._reject('it is no JSON object such as {"date": "2026-03-02", "count": 5}.')
                continue
            inner = value.pop("attributes", None)
            whole = {**(inner if isinstance(inner, dict) else {}), **value}
            yield self.line, {label_name(key): cell for key, cell in whole.items()}

    def take(self, line: int, cells: Mapping[str, Any]) -> None:
        """Add one row to the columns, whole or not at all."""
        self.line = line
        try:
            day = self._day(cells)
            count = _number(cells, COUNT_COLUMNS)
            weight = _number(cells, WEIGHT_COLUMNS)
            labels = self._labels_of(cells)
        except _RowError as error:
            self._reject(str(error))
            return
        if self._rows == self._limits.max_rows:
            raise TooLargeError(
                f"{self._name} has more than {self._limits.max_rows:,} rows; split it.",
                limit=self._limits.max_rows,
            )
        self._days.append(day)
        self._counts.append(count)
        self._weights.append(weight)
        for name, value in labels:
            self._attributes.setdefault(name, _Coder()).add(self._rows, value)
        self._groups["segment"].add(self._rows, self._segment(cells))
        for name in ("source", "account"):
            self._groups[name].add(self._rows, self._label(cells.get(name)))
        self._rows += 1

    def built(self) -> CountRows:
        """Return the columns over all rows."""
        kept = self._kept()
        groups = {name: one.built(self._rows) for name, one in self._groups.items()}
        return CountRows(
            days=np.array(self._days, dtype=np.int64).view("datetime64[D]"),
            counts=np.array(self._counts, dtype=np.float64),
            weights=np.array(self._weights, dtype=np.float64),
            attributes={name: self._attributes[name].built(self._rows) for name in kept},
            segment=groups["segment"],
            source=groups["source"],
            account=groups["account"],
            rejected=self._rejected,
            rejections=tuple(self._rejections),
            remarks=tuple(self._remarks.values()),
        )

    def _kept(self) -> Sequence[str]:
        kept = [name for name in self._attributes if name not in self._ignored]
        most = self._limits.max_attributes
        if len(kept) > most:
            self._remark("", f"has {len(kept)} label columns; the first {most} count.")
        return kept[:most]

    def _day(self, cells: Mapping[str, Any]) -> int:
        text = next((str(cells[name]) for name in DATE_COLUMNS if cells.get(name)), "")
        if text not in self._dates:
            if len(self._dates) > _SEEN:
                self._dates.clear()
            self._dates[text] = _day_number(text)
        day = self._dates[text]
        if day is None:
            raise _RowError(f"the day {text!r} is unknown: expected one like 2026-03-02.")
        return day

    def _labels_of(self, cells: Mapping[str, Any]) -> list[tuple[str, str]]:
        category = next((name for name in CATEGORY_COLUMNS if cells.get(name)), None)
        found = []
        for name, cell in cells.items():
            if not _names_label(name):
                continue
            value = self._label(cell)
            if value is None or self._is_text(name, value):
                continue
            found.append((CATEGORY if name == category else name, value))
        if not found:
            raise _RowError("it names no label, such as a category or a colour.")
        return found

    def _is_text(self, name: str, value: str) -> bool:
        """Whether a column turned out to hold texts; it is ignored from then on."""
        coder = self._attributes.get(name)
        many = coder is not None and len(coder.known) >= self._limits.max_values
        if name not in self._ignored and (many or len(value) > _LONGEST_LABEL):
            self._ignored.add(name)
            self._remark(name, f"the column {name!r} holds texts, not labels, and was ignored.")
        return name in self._ignored

    def _segment(self, cells: Mapping[str, Any]) -> str | None:
        named = {name: _text(cells.get(name)) for name in ("segment", "market", "audience")}
        return read_segment(named) if any(named.values()) else None

    def _label(self, cell: Any) -> str | None:
        text = _text(cell)
        if text not in self._labels:
            if len(self._labels) > _SEEN:
                self._labels.clear()
            self._labels[text] = label_value(text)
        return self._labels[text]

    def _reject(self, reason: str) -> None:
        self._rejected += 1
        if len(self._rejections) < self._limits.max_reports:
            self._rejections.append(Rejection(f"{self._name} line {self.line}", reason))

    def _remark(self, key: str, reason: str) -> None:
        self._remarks.setdefault(key, Remark(self._name, reason))

    def _unreadable(self, what: str, *, line: int) -> UnreadableSourceError:
        return UnreadableSourceError(
            f"{self._name} line {line} {what}.", name=self._name, line=line
        )


def _names_label(name: str) -> bool:
    taken = {*DATE_COLUMNS, *COUNT_COLUMNS, *WEIGHT_COLUMNS}
    return is_label(name) and name not in taken


def _number(cells: Mapping[str, Any], names: Sequence[str]) -> float:
    """Return a row's number of 0 or more; 1 where it gives none."""
    for name in names:
        cell = cells.get(name)
        if cell is None or cell == "":
            continue
        try:
            value = math.nan if isinstance(cell, bool) else float(cell)
        except (TypeError, ValueError):
            value = math.nan
        if not 0 <= value <= _LARGEST:
            raise _RowError(
                f"the {name} {cell!r} is no number from 0 to {_LARGEST:.0e}; write it like 12 or "
                "12.5."
            )
        return value
    return 1.0


def _text(cell: Any) -> str:
    """Return a cell as text; lists and objects are no labels and count as unknown."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return str(cell) if isinstance(cell, int | float) else ""


def _day_number(text: str) -> int | None:
    """Return the days since 1970, or None where the text is no day."""
    week = _WEEK.fullmatch(text.strip().upper())
    if week is not None:
        try:
            day: date | None = date.fromisocalendar(int(week[1]), int(week[2]), 1)
        except ValueError:
            day = None
    else:
        day = read_date(text.upper())
    return None if day is None else (day - date(1970, 1, 1)).days

"""What the columns of a manifest mean, and how a cell is read.

The written rules, for every case that could be read two ways:

- Column names and values are compared in lower case with single spaces; ``color``
  and ``base_colour`` are ``colour``.
- An empty cell and ``na``, ``n/a``, ``nan``, ``null``, ``unknown``, ``?`` and ``-`` are unknown.
- The file is named by the first of ``image``, ``file``, ``filename``, ``path``, ``image_path``,
  ``file_name`` that is there; the others are ignored.
- The category is the first of ``category``, ``class``, ``label``; the others are plain labels.
- ``date`` is a day (2024-05-31), a month (2024-05, its first day) or a year (2024, its first of
  July); a time after the day is ignored; ``/`` and ``.`` may stand for ``-``. A date that does not
  begin with the year is ambiguous and counts as unknown.
- Without a date, ``year`` with ``month`` is the first of that month, ``year`` with ``season`` is
  the season's first day (spring 1 March, summer 1 June, autumn or fall 1 September, winter
  1 December of that same year), and ``year`` alone is the first of July.
- ``weight`` is a number of 0 or more; anything else counts as 1.
- ``segment``, ``source`` and ``account`` say to which part of the market a garment belongs, where
  it was seen and who showed it there. Without ``segment``, ``market`` and ``audience`` make one.
- ``season`` is also a plain label. ``year`` and ``month`` are not.
- Columns that name or describe one garment (``id``, ``title``, ``price`` ...) are no labels; nor is
  a column with long texts, or with nearly as many values as rows.
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from worker.catalogs.garments import CATEGORY, GarmentFields

IMAGE_COLUMNS: Final = ("image", "file", "filename", "path", "image_path", "file_name")
CATEGORY_COLUMNS: Final = ("category", "class", "label")
_UNKNOWN: Final = frozenset({"", "na", "n/a", "nan", "null", "unknown", "?", "-"})
_SPELLINGS: Final = {
    "color": "colour",
    "base_colour": "colour",
    "base_color": "colour",
    "basecolour": "colour",
}
_NOT_LABELS: Final = frozenset(
    {
        "id", "sku", "ean", "gtin", "url", "link", "name", "title", "description", "price",
        "product", "product_id", "product_name", "productdisplayname", "image_url",
        "year", "month", "date", "weight", "segment", "market", "audience", "source", "account",
        "width", "height",
    }
)  # fmt: skip
_MAX_LABEL: Final = 80  # characters; longer is a text
_MAX_VALUES: Final = 100  # a label with more values than this must repeat them
_SEASONS: Final = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}
_MONTHS: Final = (
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
)  # fmt: skip
_DATE: Final = re.compile(r"(\d{4})(?:[-/.](\d{1,2})(?:[-/.](\d{1,2})(?:[T ].*)?)?)?")
_YEARS: Final = range(1900, 2101)


def label_name(text: str) -> str:
    """Return a column's name as Toile writes it: lower case, words joined by ``_``."""
    name = re.sub(r"\W+", "_", unicodedata.normalize("NFKC", text)).strip("_").lower()
    return _SPELLINGS.get(name, name)


def label_value(text: str) -> str | None:
    """Return a cell's value in lower case with single spaces, or None when it is unknown."""
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else " " for letter in text)
    value = " ".join(unicodedata.normalize("NFC", text).split()).lower()
    return None if value in _UNKNOWN else value


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column of a manifest plays which part; names as `label_name` writes them."""

    image: str
    category: str | None
    labels: tuple[str, ...]


def choose_columns(names: Iterable[str]) -> Columns | None:
    """Give each column its part; None when no column names the file."""
    present = list(names)
    image = next((name for name in IMAGE_COLUMNS if name in present), None)
    if image is None:
        return None
    category = next((name for name in CATEGORY_COLUMNS if name in present), None)
    taken = {*IMAGE_COLUMNS, *_NOT_LABELS, category, ""}
    return Columns(image, category, tuple(name for name in present if name not in taken))


def is_label(name: str) -> bool:
    """Whether a column may hold labels: it neither names nor describes one garment."""
    return name not in {*IMAGE_COLUMNS, *_NOT_LABELS, ""}


def is_free_text(values: Sequence[str]) -> bool:
    """Whether a column's known values are texts or names rather than labels that repeat."""
    distinct = set(values)
    crowded = len(distinct) > _MAX_VALUES and len(distinct) > len(values) / 2
    return crowded or any(len(value) > _MAX_LABEL for value in distinct)


def read_fields(cells: Mapping[str, str], columns: Columns) -> tuple[GarmentFields, list[str]]:
    """Return what a row says, and a remark for each cell that could not be read."""
    remarks: list[str] = []
    attributes = {}
    for column in (columns.category, *columns.labels):
        value = label_value(cells.get(column, "")) if column else None
        if column and value is not None:
            attributes[CATEGORY if column == columns.category else column] = value[:_MAX_LABEL]
    day = _read_day(cells, remarks)
    weight = _read_weight(label_value(cells.get("weight", "")), remarks)
    source, account = (label_value(cells.get(name, "")) for name in ("source", "account"))
    return (
        GarmentFields(attributes, day, weight, read_segment(cells), source, account),
        remarks,
    )


def read_segment(cells: Mapping[str, str]) -> str | None:
    """Return the part of the market that a row speaks of, or None."""
    given = label_value(cells.get("segment", ""))
    if given is not None:
        return given
    parts = [label_value(cells.get(name, "")) for name in ("market", "audience")]
    return " / ".join(part for part in parts if part) or None


def read_date(text: str) -> date | None:
    """Return the day that a date, month or year stands for; None when it is none of these."""
    match = _DATE.fullmatch(text.strip())
    if match is None:
        return None
    year, month, day = match.groups()
    if month is None:
        return _day(int(year), 7, 1)
    return _day(int(year), int(month), int(day or 1))


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day) if year in _YEARS else None
    except ValueError:
        return None


def _read_day(cells: Mapping[str, str], remarks: list[str]) -> date | None:
    given = label_value(cells.get("date", ""))
    if given is not None:
        day = read_date(given.upper())
        if day is None:
            remarks.append(f"the date {given!r} is unknown: expected one like 2024-05-31.")
        return day
    year = label_value(cells.get("year", ""))
    if year is None:
        return None
    day = _day_of_year(
        year, label_value(cells.get("month", "")), label_value(cells.get("season", ""))
    )
    if day is None:
        remarks.append(f"the year {year!r} or its month is unknown: expected one like 2024.")
    return day


def _day_of_year(year: str, month: str | None, season: str | None) -> date | None:
    try:
        number = int(float(year))  # spreadsheets write 2024.0
    except (ValueError, OverflowError):
        return None
    if month is not None:
        if month[:3] in _MONTHS:
            return _day(number, _MONTHS.index(month[:3]) + 1, 1)
        return _day(number, int(month), 1) if month.isdecimal() and len(month) <= 2 else None  # noqa: PLR2004
    if season in _SEASONS:
        return _day(number, _SEASONS[season], 1)
    return _day(number, 7, 1)


def _read_weight(text: str | None, remarks: list[str]) -> float:
    if text is None:
        return 1.0
    try:
        weight = float(text)
    except ValueError:
        weight = math.nan
    if math.isfinite(weight) and weight >= 0:
        return weight
    remarks.append(f"the weight {text!r} counts as 1: expected a number of 0 or more.")
    return 1.0

"""Reading a manifest: one row a garment, as CSV or as one JSON object a line.

A manifest that cannot be trusted as a whole (not UTF-8, no column that names the file, a line that
is not JSON, a quote that never ends) is an error that names the line. A row that cannot be used is
a rejection that names its line, and the rest goes on.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

from shared.errors import UnreadableSourceError
from worker.catalogs.fields import (
    IMAGE_COLUMNS,
    Columns,
    choose_columns,
    is_free_text,
    label_name,
    label_value,
    read_fields,
)
from worker.catalogs.garments import GarmentFields, Rejection, Remark

# In the order in which they are looked for.
MANIFEST_NAMES: Final = ("labels.csv", "labels.jsonl", "manifest.csv", "manifest.jsonl")


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One garment as the manifest names it; ``line`` counts from 1, the header included."""

    line: int
    image: str
    fields: GarmentFields
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest as read."""

    rows: tuple[ManifestRow, ...]
    rejections: tuple[Rejection, ...]
    remarks: tuple[Remark, ...]


_RawRow = tuple[int, Mapping[str, str]]


def read_manifest(name: str, content: bytes, *, max_attributes: int) -> Manifest:
    """Read a manifest; ``name`` ends in ``.csv`` or ``.jsonl``.

    Raises:
        UnreadableSourceError: it cannot be read as a whole; the message names the line.
    """
    text = _decoded(name, content)
    rejections: list[Rejection] = []
    parse = _json_rows if name.lower().endswith(".jsonl") else _csv_rows
    raw = list(parse(name, text, rejections))
    names = dict.fromkeys(column for _, cells in raw for column in cells)
    columns = choose_columns(names)
    if columns is None:
        raise UnreadableSourceError(
            f"{name} has no rows with a column that names the picture; expected one of "
            f"{', '.join(IMAGE_COLUMNS)}. Its columns are: {', '.join(names) or 'none'}.",
            manifest=name,
        )
    labels, remarks = _choose_labels(name, raw, columns, max_attributes)
    columns = Columns(columns.image, columns.category, labels)
    rows = tuple(_rows(name, raw, columns, rejections))
    return Manifest(rows, tuple(rejections), tuple(remarks))


def _rows(
    name: str, raw: Sequence[_RawRow], columns: Columns, rejections: list[Rejection]
) -> Iterator[ManifestRow]:
    for line, cells in raw:
        image = cells.get(columns.image, "").strip().replace("\\", "/")
        if not image:
            rejections.append(Rejection(f"{name} line {line}", "the row names no picture."))
            continue
        fields, remarks = read_fields(cells, columns)
        yield ManifestRow(line, str(PurePosixPath(image)), fields, tuple(remarks))


def _choose_labels(
    name: str, raw: Sequence[_RawRow], columns: Columns, max_attributes: int
) -> tuple[tuple[str, ...], list[Remark]]:
    labels, remarks = [], []
    for column in columns.labels:
        values = [value for _, cells in raw if (value := label_value(cells.get(column, "")))]
        if is_free_text(values):
            remarks.append(
                Remark(name, f"the column {column!r} holds texts, not labels, and was ignored.")
            )
        elif values:
            labels.append(column)
    if len(labels) > max_attributes:
        remarks.append(
            Remark(name, f"has {len(labels)} label columns; the first {max_attributes} count.")
        )
    return tuple(labels[:max_attributes]), remarks


def _decoded(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UnreadableSourceError(
            f"{name} line {line} is not UTF-8 text. Save the file as UTF-8 (in a spreadsheet: "
            "'CSV UTF-8').",
            manifest=name,
            line=line,
        ) from error


def _csv_rows(name: str, text: str, rejections: list[Rejection]) -> Iterator[_RawRow]:
    """Yield rows under the header; commas, semicolons or tabs, whichever the header has most of."""
    header, _, _ = text.partition("\n")
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        names = [label_name(cell) for cell in next(reader, [])]
        _refuse_twins(name, names)
        for cells in reader:
            if len(cells) > len(names):
                reason = f"the row has {len(cells)} cells; expected {len(names)}."
                rejections.append(Rejection(f"{name} line {reader.line_num}", reason))
            elif any(cells):
                yield reader.line_num, dict(zip(names, cells, strict=False))
    except csv.Error as error:
        raise UnreadableSourceError(
            f"{name} line {reader.line_num} cannot be read as CSV: {error}.",
            manifest=name,
            line=reader.line_num,
        ) from error


def _refuse_twins(name: str, names: Sequence[str]) -> None:
    twins = {column for column in names if column and names.count(column) > 1}
    if twins:
        raise UnreadableSourceError(
            f"{name} line 1 has more than one column named {', '.join(sorted(twins))}.",
            manifest=name,
            line=1,
        )


def _json_rows(name: str, text: str, _: list[Rejection]) -> Iterator[_RawRow]:
    for line, row in enumerate(text.split("\n"), start=1):
        if not row.strip():
            continue
        try:
            value = json.loads(row)
        except (ValueError, RecursionError) as error:
            raise UnreadableSourceError(
                f"{name} line {line} is not JSON: {error}.", manifest=name, line=line
            ) from error
        if not isinstance(value, dict):
            raise UnreadableSourceError(
                f"{name} line {line} is not a JSON object; expected one such as "
                '{"image": "1.jpg", "category": "dress"}.',
                manifest=name,
                line=line,
            )
        yield line, {label_name(key): _cell(cell) for key, cell in value.items()}


def _cell(value: Any) -> str:
    """Return a JSON value as a cell; lists and objects are no labels and count as unknown."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if isinstance(value, str | int | float) else ""

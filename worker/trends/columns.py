"""Column files: what a report reads, one .npz for each catalog version and each batch of a feed.

What you can rely on:

- A file holds its own vocabulary, so that it never has to be written again when another one grows.
- The same observations give the same bytes.
- A column that is one value throughout takes one place; codes take the fewest bytes that hold them.
  A million garments with four attributes take some 20 MB, most of it their identifiers.
- Reading is a few copies: two million rows in a second.
"""

import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared.errors import InvalidInputError
from worker.trends.arrays import Bools
from worker.trends.observations import GIVEN, UNKNOWN, Codes, Observations, Origins

KIND: Final = "trend columns 1"
_HEADING: Final = "heading"
_DAMAGE: Final = (
    InvalidInputError, ValueError, KeyError, TypeError, AttributeError, OSError, EOFError,
    OverflowError, MemoryError, RuntimeError, IndexError, struct.error, zlib.error,
    zipfile.BadZipFile,
)  # fmt: skip
_NO_IDS: Final = "S1"


class DamagedColumnsError(ValueError):
    """A column file cannot be read: cut, flipped, or of another format."""


def write_columns(observed: Observations, path: Path) -> None:
    """Write observations as a column file."""
    names = sorted(observed.attributes)
    heading = {
        "kind": KIND,
        "rows": len(observed),
        "attributes": [[name, list(observed.vocabulary[name])] for name in names],
        "origins": sorted(observed.origins),
        "segments": list(observed.segment_names),
        "sources": list(observed.source_names),
        "accounts": list(observed.account_names),
    }
    text = json.dumps(heading, ensure_ascii=False, sort_keys=True).encode()
    arrays: dict[str, NDArray[Any]] = {
        _HEADING: np.frombuffer(text, dtype=np.uint8),
        "days": _packed(observed.dates.astype("datetime64[D]").view(np.int64)),
        "weights": _packed(observed.weights),
        "counts": _packed(observed.multiplicity),
        "segments": _packed(_narrow(observed.segments)),
        "sources": _packed(_narrow(_codes_or_unknown(observed.sources, len(observed)))),
        "accounts": _packed(_narrow(_codes_or_unknown(observed.accounts, len(observed)))),
        "ids": _packed(_ids_of(observed)),
    }
    for place, name in enumerate(names):
        arrays[f"attribute_{place}"] = _packed(_narrow(observed.attributes[name]))
    for place, name in enumerate(sorted(observed.origins)):
        arrays[f"origin_{place}"] = _packed(observed.origins[name])
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def read_columns(path: Path) -> Observations:
    """Read a column file.

    Raises:
        FileNotFoundError: there is none.
        DamagedColumnsError: it was cut or changed, or is of another format.
    """
    try:
        # Opened here: np.load leaves its own file open where the content is damaged.
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            heading = json.loads(file[_HEADING].tobytes())
            return _built(heading, lambda name: file[name])
    except (FileNotFoundError, DamagedColumnsError):
        raise
    except _DAMAGE as error:
        raise DamagedColumnsError(f"{path.name} cannot be read as columns: {error}") from error


def join(parts: Sequence[Observations]) -> Observations:
    """Return all rows of all parts, over the union of their attributes and vocabularies."""
    if len(parts) == 1:
        return parts[0]
    names = sorted({name for part in parts for name in part.attributes})
    attributes, vocabulary = {}, {}
    for name in names:
        attributes[name], vocabulary[name] = _joined(
            [(_attribute(part, name), part.vocabulary.get(name, ())) for part in parts]
        )
    segments, segment_names = _joined([(part.segments, part.segment_names) for part in parts])
    sources, source_names = _joined(
        [(_codes_or_unknown(part.sources, len(part)), part.source_names) for part in parts]
    )
    accounts, account_names = _joined(
        [(_codes_or_unknown(part.accounts, len(part)), part.account_names) for part in parts]
    )
    marked = sorted({name for part in parts for name in part.origins})
    return Observations(
        dates=_stacked([part.dates for part in parts], "datetime64[D]"),
        weights=_stacked([part.weights for part in parts], "f8"),
        attributes=attributes,
        vocabulary=vocabulary,
        segments=segments,
        segment_names=segment_names,
        counts=_stacked([part.multiplicity for part in parts], "f8"),
        sources=sources,
        source_names=source_names,
        accounts=accounts,
        account_names=account_names,
        origins={name: _stacked([_origin(p, name) for p in parts], "i1") for name in marked},
        ids=_stacked([_ids_of(part) for part in parts], _NO_IDS),
    )


def selected(observed: Observations, kept: Bools) -> Observations:
    """Return some of the rows, [n], over the same vocabularies."""
    return Observations(
        dates=observed.dates[kept],
        weights=observed.weights[kept],
        attributes={name: codes[kept] for name, codes in observed.attributes.items()},
        vocabulary=observed.vocabulary,
        segments=observed.segments[kept],
        segment_names=observed.segment_names,
        counts=observed.multiplicity[kept],
        sources=_codes_or_unknown(observed.sources, len(observed))[kept],
        source_names=observed.source_names,
        accounts=_codes_or_unknown(observed.accounts, len(observed))[kept],
        account_names=observed.account_names,
        origins={name: codes[kept] for name, codes in observed.origins.items()},
        ids=_ids_of(observed)[kept],
    )


def without_revised(batches: Sequence[tuple[Observations, bool]]) -> Iterator[Observations]:
    """Yield a feed's batches, in order, without the rows that a later one took back.

    A batch that revises (true) speaks anew of every pair of day and segment that it names: all
    that earlier batches said of such a pair is left out. A row of count 0 takes a pair back
    without putting anything in its place.
    """
    spoken: set[tuple[int, str | None]] = set()
    kept: list[Observations] = []
    for observed, revises in reversed(batches):
        kept.append(_outside(observed, spoken))
        if revises:
            spoken |= set(_cells(observed)[0])
    yield from reversed(kept)


def _outside(observed: Observations, spoken: set[tuple[int, str | None]]) -> Observations:
    if not spoken:
        return observed
    cells, where = _cells(observed)
    free = np.array([cell not in spoken for cell in cells], dtype=bool)
    return observed if free.all() else selected(observed, free[where])


def _cells(
    observed: Observations,
) -> tuple[list[tuple[int, str | None]], NDArray[np.intp]]:
    """Return the distinct pairs of day and segment, and which of them each row has, [n]."""
    names = (*observed.segment_names, None)  # the code -1 reads the last
    size = len(names)
    days = observed.dates.view(np.int64)
    keys = days * size + np.where(observed.segments < 0, size - 1, observed.segments)
    used, where = np.unique(keys, return_inverse=True)
    return [(int(key // size), names[int(key % size)]) for key in used], where


def _built(heading: Mapping[str, Any], array: Callable[[str], NDArray[Any]]) -> Observations:
    if heading["kind"] != KIND:
        raise DamagedColumnsError(f"the format is {heading['kind']!r}; expected {KIND!r}")
    rows = int(heading["rows"])

    def column(name: str, kind: str) -> NDArray[Any]:
        packed = array(name)
        if len(packed) not in {1, rows}:
            raise DamagedColumnsError(f"{name} has {len(packed)} rows; expected {rows}")
        # np.repeat, not a view of one value: what reads columns may write in them.
        whole = packed if len(packed) == rows else np.repeat(packed, rows)
        return whole.astype(kind, copy=False)

    named = [(name, tuple(values)) for name, values in heading["attributes"]]
    return Observations(
        dates=column("days", "i8").view("datetime64[D]"),
        weights=column("weights", "f8"),
        attributes={name: column(f"attribute_{at}", "i4") for at, (name, _) in enumerate(named)},
        vocabulary=dict(named),
        segments=column("segments", "i4"),
        segment_names=tuple(heading["segments"]),
        counts=column("counts", "f8"),
        sources=column("sources", "i4"),
        source_names=tuple(heading["sources"]),
        accounts=column("accounts", "i4"),
        account_names=tuple(heading["accounts"]),
        origins={name: column(f"origin_{at}", "i1") for at, name in enumerate(heading["origins"])},
        ids=column("ids", array("ids").dtype.str),
    )


def _packed(column: NDArray[Any]) -> NDArray[Any]:
    """Return one place for a column that is one value throughout."""
    alike = len(column) > 1 and bool(np.all(column == column[0]))
    return column[:1] if alike else column


def _narrow(codes: Codes) -> NDArray[Any]:
    largest = int(codes.max(initial=0))
    fitting = next(kind for kind in ("i1", "i2", "i4") if largest <= np.iinfo(kind).max)
    return codes.astype(fitting)


def _joined(columns: Sequence[tuple[Codes, tuple[str, ...]]]) -> tuple[Codes, tuple[str, ...]]:
    """Return the codes of all columns over the sorted union of their names."""
    union = tuple(sorted({name for _, names in columns for name in names}))
    place = {name: code for code, name in enumerate(union)}
    moved = []
    for codes, names in columns:
        table = np.array([*(place[name] for name in names), UNKNOWN], dtype=np.int32)
        moved.append(table[codes])
    return _stacked(moved, "i4"), union


def _stacked(columns: Sequence[NDArray[Any]], kind: str) -> NDArray[Any]:
    return np.concatenate(columns) if columns else np.empty(0, dtype=kind)


def _attribute(observed: Observations, name: str) -> Codes:
    return _codes_or_unknown(observed.attributes.get(name), len(observed))


def _origin(observed: Observations, name: str) -> Origins:
    found = observed.origins.get(name)
    return np.full(len(observed), GIVEN, dtype=np.int8) if found is None else found


def _codes_or_unknown(codes: Codes | None, rows: int) -> Codes:
    return np.full(rows, UNKNOWN, dtype=np.int32) if codes is None else codes


def _ids_of(observed: Observations) -> NDArray[np.bytes_]:
    return np.zeros(len(observed), dtype=_NO_IDS) if observed.ids is None else observed.ids

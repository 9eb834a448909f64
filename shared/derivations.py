"""Derived labels of a catalog version: what nobody gave, as one file of columns by garment."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared.errors import InvalidInputError
from shared.schemas.derivations import LabelOrigin
from shared.taste.packing import Arrays, pack, unpack

KIND: Final = "garment derivation 1"
UNKNOWN: Final = -1
STYLE: Final = "style"
"""The attribute that holds a garment's style."""

Codes = NDArray[np.int32]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class DerivedColumn:
    """One attribute's derived values.

    Attributes:
        values: in code order.
        codes: int32 [n]; -1 where nothing was derived: the label was given, or cannot be told.
        predicted: bool [n]: which of them a classifier said; the others were measured, or are
            styles.
        confidence: float32 [n]: of a prediction its chance, 0-1; of a style the cosine to its
            centre; NaN elsewhere.
    """

    values: tuple[str, ...]
    codes: Codes
    predicted: NDArray[np.bool_]
    confidence: Floats

    def __len__(self) -> int:
        return len(self.codes)


@dataclass(frozen=True)
class DerivedLabel:
    """One derived label of one garment."""

    value: str
    origin: LabelOrigin
    confidence: float | None


@dataclass(frozen=True)
class Derived:
    """The derived labels of n garments.

    Attributes:
        ids: n garment ids.
        columns: attribute -> its column of n.

    Raises:
        InvalidInputError: an id is there twice, or a column has another length or type.
    """

    ids: tuple[str, ...]
    columns: Mapping[str, DerivedColumn]

    def __post_init__(self) -> None:
        n = len(self.ids)
        if len(self.places) != n:
            raise InvalidInputError("a garment is there twice; each has one row")
        for name, column in self.columns.items():
            arrays = (column.codes, column.predicted, column.confidence)
            kinds = (np.int32, np.bool_, np.float32)
            fits = (
                array.shape == (n,) and array.dtype == kind
                for array, kind in zip(arrays, kinds, strict=True)
            )
            if not all(fits):
                raise InvalidInputError(f"the column of {name} does not fit {n} garments")
            if n and not UNKNOWN <= column.codes.min() <= column.codes.max() < len(column.values):
                raise InvalidInputError(f"a code of {name} is outside its values")

    @cached_property
    def places(self) -> Mapping[str, int]:
        """Garment id -> row."""
        return {name: place for place, name in enumerate(self.ids)}

    def of(self, garment_id: str) -> dict[str, DerivedLabel]:
        """Return attribute -> label of one garment; empty where it is not among them."""
        place = self.places.get(garment_id)
        if place is None:
            return {}
        return {
            name: _label(name, column, place)
            for name, column in self.columns.items()
            if column.codes[place] != UNKNOWN
        }


def _label(name: str, column: DerivedColumn, place: int) -> DerivedLabel:
    origin = LabelOrigin.MEASURED
    if name == STYLE:
        origin = LabelOrigin.STYLE
    elif column.predicted[place]:
        origin = LabelOrigin.PREDICTED
    sure = float(column.confidence[place])
    value = column.values[int(column.codes[place])]
    return DerivedLabel(value, origin, None if np.isnan(sure) else round(sure, 4))


def write(derived: Derived) -> bytes:
    """Return derived labels as .npz bytes; about 10 bytes a garment and attribute, and its id."""
    heading = {
        "ids": list(derived.ids),
        "columns": [[name, list(column.values)] for name, column in derived.columns.items()],
    }
    arrays: dict[str, Any] = {}
    for place, column in enumerate(derived.columns.values()):
        arrays[f"codes-{place}"] = column.codes
        arrays[f"predicted-{place}"] = column.predicted
        arrays[f"confidence-{place}"] = column.confidence
    return pack(KIND, heading, arrays)


def read(data: bytes) -> Derived:
    """Return what `write` wrote.

    Raises:
        TasteCorruptError: the bytes are damaged, or no derivation of this format.
    """
    return unpack(data, KIND, _built)


def _built(heading: dict[str, Any], arrays: Arrays) -> Derived:
    columns = {
        name: DerivedColumn(
            values=tuple(values),
            codes=arrays[f"codes-{place}"],
            predicted=arrays[f"predicted-{place}"],
            confidence=arrays[f"confidence-{place}"],
        )
        for place, (name, values) in enumerate(heading["columns"])
    }
    return Derived(ids=tuple(heading["ids"]), columns=columns)

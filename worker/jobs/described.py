"""What the rows say of a catalog version's garments, as columns in the order of the pictures."""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shared.colour import FAMILY_NAMES
from shared.records import Transaction, catalogs, garments
from shared.records.catalogs import Shard
from worker.jobs.datasets import starts_of

Codes = NDArray[np.int32]
Mask = NDArray[np.bool_]

UNKNOWN = -1


@dataclass(frozen=True)
class Described:
    """Garments as their rows have them, n of them.

    Attributes:
        ids: garment ids.
        shards: where the pictures are, one behind the other in this order.
        codes: attribute -> int32 [n], a place in its values; -1 where it is not known.
        values: attribute -> its values, in order.
        colour_measured: bool [n]: whether `colour` was measured, not given.
        families: int32 [n]: the measured colour family, a place in `FAMILY_NAMES`; -1 where the
            picture is grey.
    """

    ids: tuple[str, ...]
    shards: tuple[Shard, ...]
    codes: Mapping[str, Codes]
    values: Mapping[str, tuple[str, ...]]
    colour_measured: Mask
    families: Codes

    def __len__(self) -> int:
        return len(self.ids)


def described(tx: Transaction, catalog_id: str, version: int) -> Described:
    """Read a catalog version; takes some 150 bytes a garment."""
    shards = catalogs.shards_up_to(tx, catalog_id, version)
    starts = starts_of(shards)
    family_codes = {name: code for code, name in enumerate(FAMILY_NAMES)}
    ids: list[str] = []
    places, families, measured = array("q"), array("i"), array("b")
    columns: dict[str, _Column] = {}
    for garment_id, shard_id, place, labels, colour, palette in garments.described_up_to(
        tx, catalog_id, version
    ):
        for name, value in labels.items():
            columns.setdefault(name, _Column()).put(len(ids), value)
        ids.append(garment_id)
        places.append(starts[shard_id] + place)
        families.append(family_codes.get(palette[0][4], UNKNOWN) if palette else UNKNOWN)
        measured.append(colour)
    order = np.argsort(np.asarray(places, np.int64), kind="stable")
    told = {name: column.sorted(len(ids)) for name, column in sorted(columns.items())}
    return Described(
        ids=tuple(ids[row] for row in order.tolist()),
        shards=tuple(shards),
        codes={name: codes[order] for name, (codes, _) in told.items()},
        values={name: values for name, (_, values) in told.items()},
        colour_measured=np.asarray(measured, np.int8).astype(np.bool_)[order],
        families=np.asarray(families, np.int32)[order],
    )


@dataclass
class _Column:
    """One attribute while rows are read: codes by first appearance."""

    known: dict[str, int] = field(default_factory=dict)
    codes: "array[int]" = field(default_factory=lambda: array("i"))

    def put(self, row: int, value: str) -> None:
        self.fill(row)
        self.codes.append(self.known.setdefault(value, len(self.known)))

    def fill(self, rows: int) -> None:
        self.codes.extend([UNKNOWN] * (rows - len(self.codes)))

    def sorted(self, rows: int) -> tuple[Codes, tuple[str, ...]]:
        """Return codes into the values in alphabetical order, and those."""
        self.fill(rows)
        values = tuple(sorted(self.known))
        table = np.full(len(values) + 1, UNKNOWN, np.int32)  # -1 takes the last
        for code, value in enumerate(values):
            table[self.known[value]] = code
        return table[np.asarray(self.codes, np.int32)], values

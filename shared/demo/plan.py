"""Which designs the demonstration asks for: one row a category, and the last rows with a colour."""

from collections.abc import Mapping, Sequence
from typing import Final

from shared.colour import FAMILY_NAMES
from shared.schemas.base import Schema
from shared.schemas.models import Release

_ROW: Final = 8
_WITH_COLOUR: Final = 2


class DesignWish(Schema):
    """One design job: what it is called, what it asks for, and how many."""

    title: str
    condition: dict[str, str]
    count: int


def choices_of(
    release: Release, counts: Mapping[str, Mapping[str, int]]
) -> dict[str, tuple[str, ...]]:
    """Return what a release can be asked for: its labels, and the catalog's own colours.

    Args:
        release: the release; where it takes any colour, the families that garments have are named.
        counts: how many garments have each value of each attribute.
    """
    choices = dict(release.vocabulary)
    if release.colours:
        colours = counts.get("colour", {})
        choices["colour"] = tuple(name for name in FAMILY_NAMES if colours.get(name))
    return choices


def plan_designs(
    vocabulary: Mapping[str, Sequence[str]],
    total: int,
    *,
    counts: Mapping[str, Mapping[str, int]] | None = None,
) -> list[DesignWish]:
    """Return design jobs of at most eight that sum up to `total`.

    Args:
        vocabulary: the values of each attribute that the release knows.
        total: how many designs in all.
        counts: how many garments have each value; the commonest are asked for first.
    """
    known = counts or {}
    categories = _by_count(vocabulary.get("category", ()), known.get("category", {}))
    colours = _by_count(vocabulary.get("colour", ()), known.get("colour", {}))
    rows = -(-total // _ROW)
    coloured = min(_WITH_COLOUR, rows - 1) if colours else 0
    wishes = []
    for row in range(rows):
        condition = {"category": categories[row % len(categories)]} if categories else {}
        if row >= rows - coloured:
            condition["colour"] = colours[(row - rows + coloured) % len(colours)]
        count = min(_ROW, total - row * _ROW)
        wishes.append(DesignWish(title=_title(condition), condition=condition, count=count))
    return wishes


def _by_count(values: Sequence[str], counts: Mapping[str, int]) -> list[str]:
    return sorted(values, key=lambda value: (-counts.get(value, 0), value))


def _title(condition: Mapping[str, str]) -> str:
    return (
        " ".join(condition[name] for name in ("colour", "category") if name in condition) or "any"
    )

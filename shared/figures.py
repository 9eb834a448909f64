"""Comparing figures: the same key side by side, and different keys never.

A figure's key names the extractor that it was measured with and the hash of its weights. Two
extractors are two scales, so a difference between them would say nothing.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from shared.errors import ConflictError
from shared.schemas.figures import ComparedFigure, Figure, NotCompared, Side

_HASH: Final = re.compile(r"@[^\]]*")
_SEVERAL: Final = 1.5  # times as many images: from here on the bias of a distance shows


def figures_of(card: Mapping[str, Any]) -> list[Figure]:
    """Return the figures on a release's card; what cannot be read as one is passed over."""
    told = card.get("figures")
    found = []
    for one in told if isinstance(told, list) else ():
        try:
            found.append(Figure.model_validate(one, extra="ignore"))
        except ValidationError:
            continue
    return found


def compare(
    first: Sequence[Figure], second: Sequence[Figure]
) -> tuple[list[ComparedFigure], list[NotCompared]]:
    """Put the figures of two releases side by side.

    Args:
        first: the figures of one release.
        second: those of the other.

    Returns:
        The figures whose keys both have, in the first's order; and those that only one has, each
        with the reason why it was not compared.
    """
    ours, theirs = ({one.key: one for one in side} for side in (first, second))
    compared = [_beside(one, theirs[key]) for key, one in ours.items() if key in theirs]
    left = [_left_out(key, "first", theirs) for key in ours if key not in theirs]
    left += [_left_out(key, "second", ours) for key in theirs if key not in ours]
    return compared, left


def compare_one(key: str, first: Sequence[Figure], second: Sequence[Figure]) -> ComparedFigure:
    """Put one figure of two releases side by side; at least one of the releases has it.

    Raises:
        ConflictError: only one of them has a figure of this key.
    """
    compared, left = compare(first, second)
    for one in compared:
        if one.key == key:
            return one
    alone = next(one for one in left if one.key == key)
    raise ConflictError(
        f"{key} cannot be compared. {alone.reason}",
        key=key,
        of=alone.of,
        comparable=[one.key for one in compared],
    )


def subject(key: str) -> str:
    """Return what a key measures and with which kind of extractor, without the weights' hash."""
    return _HASH.sub("", key)


def _left_out(key: str, of: Side, others: Mapping[str, Figure]) -> NotCompared:
    other = "second" if of == "first" else "first"
    like = [one for one in others if subject(one) == subject(key)]
    if like:
        reason = (
            f"The {other} release has {' and '.join(like)} instead: it was measured with other "
            "weights, and that is another scale. Measure both with the same extractor."
        )
    else:
        reason = f"The {other} release was not measured so."
    return NotCompared(key=key, of=of, reason=reason)


def _beside(first: Figure, second: Figure) -> ComparedFigure:
    apart = None
    if first.interval is not None and second.interval is not None:
        low, high = sorted((first.interval, second.interval))
        apart = low[1] < high[0]
    return ComparedFigure(
        key=first.key,
        first=first,
        second=second,
        difference=second.value - first.value,
        apart=apart,
        better=_better(first, second) if apart else None,
        remark=_remark(first, second),
    )


def _better(first: Figure, second: Figure) -> Side | None:
    """The floor is what real garments score, so it tells which way is better."""
    if first.floor is None or first.ceiling is None or first.floor == first.ceiling:
        return None
    less_is_better = first.floor < first.ceiling
    return "second" if (second.value < first.value) == less_is_better else "first"


def _remark(first: Figure, second: Figure) -> str:
    if first.n is None or second.n is None:
        return ""
    fewer, more = sorted((first.n, second.n))
    if more <= _SEVERAL * fewer:
        return ""
    return (
        f"They were measured on {first.n:,} and {second.n:,} images. Many distances shrink with "
        "more images, so part of the difference may be that."
    )

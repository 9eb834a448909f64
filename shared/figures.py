"""Reading and comparing figures: the same key side by side, and different keys never.

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
_MORE_IS_BETTER: Final = (
    "prdc_indomain", "classifier_score", "condition_accuracy", "train_on", "test_on",
    "inception_score",
)  # fmt: skip
_LESS_IS_BETTER: Final = (
    "fd_", "kd_", "swd_", "fid_", "colour_error", "nearest_training_percentile",
)  # fmt: skip
_BIASED: Final = ("fd_", "fid_")
"""Distances that grow as images get fewer (Chong and Forsyth, arXiv 1911.07023)."""

_SEVERAL: Final = 1.5  # times as many images: from here on the bias of a distance shows


def figures_of(card: Mapping[str, Any]) -> list[Figure]:
    """Return the figures on a release's card; what cannot be read as one is passed over."""
    told = card.get("figures")
    found = []
    for one in told if isinstance(told, list) else ():
        try:
            found.append(Figure.model_validate(_without_half_interval(one), extra="ignore"))
        except ValidationError:
            continue
    return found


def more_is_better(key: str) -> bool | None:
    """Return which way a figure counts, by its key; None where it is not known."""
    if key.startswith(_MORE_IS_BETTER):
        return True
    return False if key.startswith(_LESS_IS_BETTER) else None


def ends_of(figure: Figure) -> tuple[float, float] | None:
    """Return what real garments and what noise would get; None where one is not known.

    A figure whose direction is not known counts as a distance.
    """
    if figure.floor is None or figure.ceiling is None or figure.floor == figure.ceiling:
        return None
    if more_is_better(figure.key):
        return figure.ceiling, figure.floor
    return figure.floor, figure.ceiling


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
    equal = [key for key, one in ours.items() if key in theirs and _alike(one, theirs[key])]
    compared = [_beside(ours[key], theirs[key]) for key in equal]
    left = [_left_out(one, "first", theirs) for key, one in ours.items() if key not in equal]
    left += [_left_out(one, "second", ours) for key, one in theirs.items() if key not in equal]
    return compared, left


def compare_one(key: str, first: Sequence[Figure], second: Sequence[Figure]) -> ComparedFigure:
    """Put one figure of two releases side by side; at least one of the releases has it.

    Raises:
        ConflictError: only one of them has a figure of this key, or they took other numbers of
            images and that shows in the value.
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


def _without_half_interval(told: Any) -> Any:
    """An end that was no finite number is null in JSON, and half an interval says nothing."""
    if isinstance(told, Mapping) and None in (told.get("interval") or ()):
        return {**told, "interval": None}
    return told


def _alike(first: Figure, second: Figure) -> bool:
    return not first.key.startswith(_BIASED) or first.n == second.n


def _left_out(figure: Figure, of: Side, others: Mapping[str, Figure]) -> NotCompared:
    key, other = figure.key, "second" if of == "first" else "first"
    like = [one for one in others if subject(one) == subject(key) and one != key]
    if key in others:
        reason = (
            f"The {other} release was measured on {others[key].n} images and this one on "
            f"{figure.n}, and such a distance grows as images get fewer. Measure both on as many."
        )
        return NotCompared(key=key, of=of, reason=reason)
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
    more = more_is_better(first.key)
    if more is None or first.value == second.value:
        return None
    return "second" if (second.value > first.value) == more else "first"


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

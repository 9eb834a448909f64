"""A figure: a number with the name of what measured it, so that unlike ones are never compared."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from shared.errors import InvalidInputError

_KEY: Final = re.compile(
    r"(?P<family>[a-z_]+(?:\.[a-z_]+)?)"
    r"(?:\[(?P<extractor>[^@\]]+)@(?P<digest>[^\]]+)\])?"
    r"(?:\((?P<condition>.+)\))?"
)

_PARTS: Final = {
    "family": "what is measured",
    "extractor": "the extractor",
    "digest": "the extractor's weights",
    "condition": "the condition",
}

_BIASED: Final = "fd_"
"""Families whose value depends on the number of images itself (Chong & Forsyth 2020)."""

# Student's t for 95% both ways, by degrees of freedom; beyond the table the normal's is near.
_STUDENT: Final = (math.inf, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
_NORMAL: Final = 1.96


@dataclass(frozen=True)
class Figure:
    """One measured number.

    Attributes:
        key: family, extractor, digest and condition, as `key` writes them.
        value: the number.
        interval: low and high of 95%; None where one reading cannot tell.
        n: generated images that a reading took.
        floor: the least to expect: real garments for a distance, noise for an accuracy.
        ceiling: the most to expect: noise for a distance, real garments for an accuracy.
        note: what a reader must know, in plain words; may be empty.
    """

    key: str
    value: float
    interval: tuple[float, float] | None = None
    n: int = 0
    floor: float | None = None
    ceiling: float | None = None
    note: str = ""

    def __post_init__(self) -> None:
        parts(self.key)

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; numbers that are not finite become None."""
        return {
            "key": self.key,
            "value": _plain(self.value),
            "interval": [_plain(end) for end in self.interval] if self.interval else None,
            "n": self.n,
            "floor": _plain(self.floor),
            "ceiling": _plain(self.ceiling),
            "note": self.note,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what `as_dict` and JSON made; a number that is None there becomes NaN.

        Raises:
            InvalidInputError: it is not a figure.
        """
        try:
            interval = values["interval"]
            return cls(
                key=values["key"],
                value=_number(values["value"]),
                interval=(_number(interval[0]), _number(interval[1])) if interval else None,
                n=int(values["n"]),
                floor=values["floor"],
                ceiling=values["ceiling"],
                note=values["note"],
            )
        except (KeyError, TypeError, ValueError, IndexError) as problem:
            raise InvalidInputError(
                f"This is not a figure ({type(problem).__name__}: {problem}); "
                "expected what `as_dict` writes."
            ) from problem


@dataclass(frozen=True)
class Difference:
    """What lies between two figures of one key.

    Attributes:
        change: second minus first.
        clear: whether their intervals stay apart; False where one has none.
    """

    change: float
    clear: bool


def key(
    family: str, *, extractor: str = "", digest: str = "", condition: str = ""
) -> str:  # fmt: skip
    """Return `family[extractor@digest](condition)`, without the parts that are empty."""
    by = f"[{extractor}@{digest}]" if extractor else ""
    return family + by + (f"({condition})" if condition else "")


def parts(text: str) -> dict[str, str]:
    """Return a key's family, extractor, digest and condition; "" where it has none.

    Raises:
        InvalidInputError: it is not a key.
    """
    found = _KEY.fullmatch(text)
    if found is None:
        raise InvalidInputError(
            f"{text!r} is not a figure's key; expected family[extractor@digest](condition)."
        )
    return {name: part or "" for name, part in found.groupdict().items()}


def compare(first: Figure, second: Figure) -> Difference:
    """Return how the second figure differs from the first.

    Raises:
        InvalidInputError: they do not measure the same thing with the same measure; or it is a
            Frechet distance from different numbers of images.
    """
    ours, theirs = parts(first.key), parts(second.key)
    for name, words in _PARTS.items():
        if ours[name] != theirs[name]:
            raise InvalidInputError(
                f"{first.key} and {second.key} cannot be compared: {words} differs "
                f"({ours[name] or 'none'} and {theirs[name] or 'none'}). "
                "Measure both with the same extractors.",
                differs=name,
            )
    if ours["family"].startswith(_BIASED) and first.n != second.n:
        raise InvalidInputError(
            f"{first.key} was measured on {first.n} images and on {second.n}: a Frechet distance "
            "grows as images get fewer. Measure both on the same number.",
            differs="n",
        )
    return Difference(second.value - first.value, _apart(first.interval, second.interval))


def mean_interval(values: Sequence[float]) -> tuple[float, tuple[float, float] | None]:
    """Return the mean of readings with different seeds, and its 95% interval (Student's t)."""
    freedom = len(values) - 1
    mean = float(np.mean(values))
    if freedom < 1:
        return mean, None
    student = _STUDENT[freedom] if freedom < len(_STUDENT) else _NORMAL
    reach = student * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return mean, (mean - reach, mean + reach)


def error_interval(value: float, error: float) -> tuple[float, float]:
    """Return the 95% interval of a value with this standard error."""
    return value - _NORMAL * error, value + _NORMAL * error


def _apart(first: tuple[float, float] | None, second: tuple[float, float] | None) -> bool:
    if first is None or second is None:
        return False
    return first[1] < second[0] or second[1] < first[0]


def _plain(number: float | None) -> float | None:
    """Six digits say all that a figure knows."""
    if number is None or not math.isfinite(number):
        return None
    return float(f"{number:.6g}")


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)

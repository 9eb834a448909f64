"""Small line plots as numbers: ticks and points in pixels, for SVG that a template writes.

Both the console and a release's card draw curves, and neither may run a script or load a picture.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

_WIDE: Final = 20.0  # a curve that spans more than this factor is read on a logarithmic scale
_STEPS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)
_THOUSAND: Final = 1_000.0
_MILLION: Final = 1_000_000.0


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: where, in pixels, and what it says."""

    at: float
    text: str


@dataclass(frozen=True)
class Axis:
    """A scale from values to pixels.

    Attributes:
        low: value at the axis' beginning.
        high: value at its end; above `low`.
        start: pixel of `low`.
        end: pixel of `high`; below `start` for an axis that points up.
        log: whether equal factors are equally long; `low` is then above 0.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        """Return the pixel of a value; what lies beyond the axis is moved to its end."""
        low, high, here = self.low, self.high, min(max(value, self.low), self.high)
        if self.log:
            low, high, here = math.log(low), math.log(high), math.log(here)
        return self.start + (self.end - self.start) * (here - low) / (high - low)

    def ticks(self, most: int = 5) -> tuple[Tick, ...]:
        """Return at most so many marks at round values."""
        values = _decades(self.low, self.high, most) if self.log else ()
        if len(values) < 2:  # noqa: PLR2004 - one mark tells no scale
            values = _evenly(self.low, self.high, most)
        return tuple(Tick(round(self.at(value), 2), short(value)) for value in values)


def axis(values: Iterable[float], *, start: float, end: float, zero: bool = False) -> Axis:
    """Return an axis that holds all values.

    Args:
        values: finite numbers, at least one.
        start: pixel of the lowest.
        end: pixel of the highest.
        zero: whether it begins at 0, and is then never logarithmic.
    """
    seen = list(values)
    low, high = min(seen), max(seen)
    if zero:
        low = min(low, 0.0)
    log = not zero and low > 0 and high / low > _WIDE
    if high == low:
        reach = abs(high) / 2 or 1.0
        low, high = (low, high + reach) if zero else (low - reach, high + reach)
    return Axis(low, high, start, end, log)


def points(across: Axis, up: Axis, places: Sequence[tuple[float, float]]) -> str:
    """Return (x, y) values as the `points` of an SVG polyline."""
    return " ".join(f"{across.at(x):.1f},{up.at(y):.1f}" for x, y in places)


def band(across: Axis, up: Axis, places: Sequence[tuple[float, float, float]]) -> str:
    """Return (x, low, high) values as the `points` of an SVG polygon."""
    below = [(x, low) for x, low, _ in places]
    above = [(x, high) for x, _, high in reversed(places)]
    return points(across, up, [*below, *above])


def short(value: float) -> str:
    """Return a number in few characters: 1200000 as `1.2M`, 12000 as `12k`, 0.0310 as `0.031`."""
    size = abs(value)
    for unit, letter in ((_MILLION, "M"), (_THOUSAND, "k")):
        if size >= unit * (1 if unit == _MILLION else 10):
            return f"{value / unit:.3g}{letter}"
    return f"{value:.0f}" if size >= 100 else f"{value:.3g}"  # noqa: PLR2004 - three digits


def _evenly(low: float, high: float, most: int) -> tuple[float, ...]:
    rough = (high - low) / max(most - 1, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * part for part in _STEPS if power * part >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    count = math.floor(high / step + 1e-9) - first + 1
    return tuple((first + place) * step for place in range(count))


def _decades(low: float, high: float, most: int) -> tuple[float, ...]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for parts in ((1.0, 2.0, 5.0), (1.0, 3.0), (1.0,)):
        values = [
            part * 10.0**power
            for power in range(first, last + 1)
            for part in parts
            if low <= part * 10.0**power <= high
        ]
        if len(values) <= most:
            return tuple(values)
    return tuple(values[:: -(-len(values) // most)])

"""A garment's pattern, measured: plain, striped, checked, dotted or printed; or not told.

Told from how the cloth in the middle of the picture looks (`worker.pictures.weave`), by rules that
were written by hand and tuned by eye. What no rule is sure of is None, never the likeliest.

- *Plain*: hardly any sharp edge in the middle; folds are soft. A small badge may be on it.
- *Striped*: nearly all finer contrast runs in one direction, with as many changes in all rows.
- *Checked*: it runs in two directions at right angles, and changes often and evenly.
- *Dotted*: round spots of one size, apart from each other.
- *Printed*: floral and all other prints, a large picture on a shirt among them.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.pictures.resize import to_channels
from worker.pictures.spots import is_dotted
from worker.pictures.weave import Weave, measure_weave

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

PLAIN, STRIPED, CHECKED, DOTTED, PRINTED = "plain", "striped", "checked", "dotted", "printed"
PATTERNS: Final = (PLAIN, STRIPED, CHECKED, DOTTED, PRINTED)
LEAST_SIDE: Final = 128
"""Of the pictures, px. In smaller ones fine checks blur, and stripes and prints are mistaken."""

_BLOCK: Final = 64
_CLEARLY: Final = 1.15  # times as many changes make one direction the one to look along
_ANY: Final = float("inf")
# Shoes, belts and bangles, wider than they are tall, have stripes that are no pattern.
_TALL: Final = {"wide": (0, 1.3)}
_UPRIGHT, _LEVEL = (0, 0.49), (0.49, 1)

# Each pattern is told where all bounds of one of its rules hold. The measurements are those of
# `Weave`, and of `_measurements`.
_Rule = Mapping[str, tuple[float, float]]
_RULES: Final[Mapping[str, tuple[_Rule, ...]]] = {
    STRIPED: (
        {  # Legs, pleats and seams are upright too, but few or faint.
            **_TALL, "level": _UPRIGHT, "first": (0.74, 1), "second": (0, 0.06),
            "turns": (14, _ANY), "uneven": (0, 0.6), "sharp": (0.3, 1), "soft": (0.3, 1),
            "windows": (3, _ANY),
        },
        {
            **_TALL, "level": _LEVEL, "first": (0.77, 1), "second": (0, 0.06), "turns": (9, _ANY),
            "uneven": (0, 0.6), "sharp": (0.15, 1), "soft": (0.3, 1), "windows": (3, _ANY),
        },
        {  # Wide: folds and hems show as much in a window, but add little to a column's count.
            **_TALL, "level": _LEVEL, "first": (0.65, 1), "second": (0, 0.1), "sharp": (0.4, 1),
            "down": (10, _ANY), "across": (0, 8), "steady_down": (0, 0.3),
        },
        {  # Narrow legs and boots, which hold no whole window.
            **_TALL, "down": (12, _ANY), "across": (0, 2), "steady_down": (0, 0.25),
            "sharp": (0.28, 1),
        },
    ),
    CHECKED: (
        {
            **_TALL, "often": (22, _ANY), "second": (0.1, 1), "lines": (0.72, 1),
            "uneven": (0, 0.5), "sharp": (0.5, 1), "windows": (3, _ANY),
        },
        {  # Bold, with flat cloth between.
            **_TALL, "second": (0.25, 1), "lines": (0.81, 1), "soft": (0, 0.7), "sharp": (0.3, 1),
            "windows": (3, _ANY),
        },
    ),
    DOTTED: (  # Then the spots themselves are looked at.
        {"across": (7, _ANY), "down": (7, _ANY), "sharp": (0.12, 1)},
    ),
    PRINTED: (
        # All over, or in the middle; and no lines, or none that are even.
        {**_TALL, "sharp": (0.4, 1), "middle": (0.4, 1), "lines": (0, 0.6)},
        {**_TALL, "sharp": (0.4, 1), "middle": (0.4, 1), "uneven": (0.55, _ANY)},
        {**_TALL, "sharp": (0.3, 1), "middle": (0.47, 1), "lines": (0, 0.6)},
        {**_TALL, "sharp": (0.3, 1), "middle": (0.47, 1), "uneven": (0.55, _ANY)},
        {
            **_TALL, "across": (9, _ANY), "down": (9, _ANY), "lines": (0, 0.66),
            "sharp": (0.36, 1), "middle": (0.36, 1),
        },
    ),
    PLAIN: (
        {"middle": (0, 0.16), "sharp": (0, 0.35), "soft": (0, 0.57), "turns": (0, 16)},
        {"middle": (0, 0.3), "sharp": (0, 0.26), "soft": (0, 0.32), "turns": (0, 16)},
    ),
}  # fmt: skip


def measure_patterns(pixels: Pixels) -> list[str | None]:
    """Tell the pattern of uint8 ``[n, size, size, 1 or 3]``; one a picture, in order.

    None is told of all pictures smaller than ``LEAST_SIDE``.
    """
    if pixels.shape[1] < LEAST_SIDE:
        return [None] * len(pixels)
    told: list[str | None] = []
    for start in range(0, len(pixels), _BLOCK):
        block = to_channels(np.asarray(pixels[start : start + _BLOCK]), 3)
        told += tell_patterns(measure_weave(block))
    return told


def tell_patterns(weave: Weave) -> list[str | None]:
    """Tell the pattern of each of n garments as they were measured: the first that a rule tells."""
    measured = _measurements(weave)
    holds = {name: _any_holds(measured, rules) for name, rules in _RULES.items()}
    told: list[str | None] = []
    for place in range(len(weave.wide)):
        fits = (name for name, found in holds.items() if found[place])
        told.append(next((name for name in fits if _is_sure(name, weave, place)), None))
    return told


def _is_sure(pattern: str, weave: Weave, place: int) -> bool:
    return pattern != DOTTED or is_dotted(weave.relief[place], weave.cloth[place])


def _any_holds(measured: Mapping[str, Floats], rules: tuple[_Rule, ...]) -> Mask:
    found = np.zeros(len(measured["wide"]), np.bool_)
    for rule in rules:
        # What was not measured is NaN, which is within no bounds.
        bounds = [(measured[name], low, high) for name, (low, high) in rule.items()]
        found |= np.all([(low <= value) & (value <= high) for value, low, high in bounds], axis=0)
    return found


def _measurements(weave: Weave) -> dict[str, Floats]:
    """Return what rules are about: the weave's columns by name, and what follows from them.

    *turns*: changes along the direction that changes more. *often*: along both together. *lines*:
    the part of the contrast in two directions at right angles. *uneven*: how unlike rows or columns
    are, of those that change more often; of both where neither clearly does.
    """
    across, down = weave.across, weave.down
    both = np.fmax(weave.steady_across, weave.steady_down)
    by_down = np.where(down > _CLEARLY * across, weave.steady_down, both)
    return {
        **{name: getattr(weave, name) for name in weave.__slots__},
        "turns": np.fmax(across, down),
        "often": across + down,
        "lines": weave.first + weave.second,
        "uneven": np.where(across > _CLEARLY * down, weave.steady_across, by_down),
    }

"""A garment's colours, measured: the ground is left out, the rest becomes a small palette.

Many pictures are measured at once. Nothing is random: a picture always gets the same palette.

1. Each picture is averaged down to at most 32 px.
2. The ground is what is like the border and connected with it, so that a white shirt on a white
   ground keeps its inside.
3. What is left is weighed towards the middle, where the garment is.
4. k-means in CIELAB, started from colours that are far apart.
5. Colours that look alike are merged, and small ones dropped.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.colour import FAMILY_NAMES, families_of, srgb_to_lab
from shared.pictures.resize import resize_pixels

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

_SIDE: Final = 32
_COLOURS: Final = 5
_ROUNDS: Final = 4
# How far from the border's median colour (CIE76) is still ground: three times the border's own
# spread, within these. Shop grounds are flat; floors and beds are not.
_GROUND_RANGE: Final = (5.0, 14.0)
_WHITE: Final = 96.0  # lightness of what is ground too when the border is nearly white
_NEAR_WHITE: Final = 90.0
_LEAST_GARMENT: Final = 0.02  # of the picture: below, the ground was misjudged and all counts
_SOLID: Final = 0.25  # the part of a garment that must be left when its rim is taken off
_MIDDLE: Final = 0.25  # of the side: the deviation of the weight towards the middle
_ALIKE: Final = 9.0  # CIE76 below which two colours of one palette are one
_LEAST_WEIGHT: Final = 0.04
SECOND_WEIGHT: Final = 0.12
"""Part of a garment from which another colour is its second one, and not a button or a shadow."""

_NONE: Final = (float("nan"),) * 3
_BLOCK: Final = 64  # pictures at once: their floats stay in the processor's cache
# Folds, shine and shadow make grey of any cloth, and pale cloth of white ground: it takes more of
# them than of another colour to name a garment.
_VOTES: Final = np.array([{"grey": 0.55, "white": 0.75}.get(name, 1.0) for name in FAMILY_NAMES])


@dataclass(frozen=True, slots=True)
class PaletteColour:
    """A measured colour: CIELAB (D65), the part of the garment it covers, 0-1, and its family."""

    lightness: float
    a: float
    b: float
    weight: float
    family: str


@dataclass(frozen=True, slots=True)
class MeasuredColours:
    """A garment's palette and the family that covers most of it.

    The palette's first colour is the heaviest of that family; the others follow by weight.
    """

    palette: tuple[PaletteColour, ...]
    family: str


def measure_colours(pixels: Pixels) -> list[MeasuredColours]:
    """Measure uint8 RGB ``[n, size, size, 3]``; one result a picture, in order."""
    measured: list[MeasuredColours] = []
    for start in range(0, len(pixels), _BLOCK):
        measured += _measure_block(pixels[start : start + _BLOCK])
    return measured


def main_and_second(palettes: Iterable[Sequence[PaletteColour]]) -> Floats:
    """Return each garment's main colour and, where one covers enough of it, a second.

    Args:
        palettes: as measured, main colour first.

    Returns:
        CIELAB float32 ``[n, 2, 3]``; NaN where there is none.
    """
    rows = [_first_two(palette) for palette in palettes]
    return np.array(rows, np.float32).reshape(len(rows), 2, 3)


def _first_two(palette: Sequence[PaletteColour]) -> list[tuple[float, float, float]]:
    others = sorted((c for c in palette[1:] if c.weight >= SECOND_WEIGHT), key=lambda c: -c.weight)
    found = [(colour.lightness, colour.a, colour.b) for colour in (*palette[:1], *others[:1])]
    return [*found, _NONE, _NONE][:2]


def garment_mask(labs: Floats) -> Mask:
    """Return where the garment is: ``[n, side, side]`` of CIELAB ``[n, side, side, 3]``."""
    ring = np.zeros(labs.shape[1:3], dtype=np.bool_)
    ring[[0, -1]] = ring[:, [0, -1]] = True
    border = labs[:, ring]
    middle = np.median(border, axis=1)
    away = np.linalg.norm(border - middle[:, None], axis=-1)
    reach = np.clip(3 * np.median(away, axis=1), *_GROUND_RANGE)
    alike = np.linalg.norm(labs - middle[:, None, None], axis=-1) < reach[:, None, None]
    pale = middle[:, 0] > _NEAR_WHITE
    alike |= pale[:, None, None] & (labs[..., 0] > _WHITE)
    garment = ~_connected(alike, ring)
    inside = _eroded(garment)
    solid = inside.sum(axis=(1, 2)) > _SOLID * garment.sum(axis=(1, 2))
    garment[solid] = inside[solid]
    empty = garment.mean(axis=(1, 2)) < _LEAST_GARMENT
    garment[empty] = True
    return np.asarray(garment)


def _eroded(garment: Mask) -> Mask:
    """Leave out the rim, whose pixels are half ground."""
    inside = garment.copy()
    inside[:, 1:] &= garment[:, :-1]
    inside[:, :-1] &= garment[:, 1:]
    inside[:, :, 1:] &= garment[:, :, :-1]
    inside[:, :, :-1] &= garment[:, :, 1:]
    return inside


def _connected(alike: Mask, start: Mask) -> Mask:
    """Return what of ``alike`` can be reached from ``start`` by steps to the four sides."""
    reached = alike & start
    while True:
        grown = reached.copy()
        grown[:, 1:] |= reached[:, :-1]
        grown[:, :-1] |= reached[:, 1:]
        grown[:, :, 1:] |= reached[:, :, :-1]
        grown[:, :, :-1] |= reached[:, :, 1:]
        grown &= alike
        if np.array_equal(grown, reached):
            return reached
        reached = grown


def _measure_block(pixels: Pixels) -> list[MeasuredColours]:
    labs = srgb_to_lab(resize_pixels(pixels, min(_SIDE, pixels.shape[1])))
    weights = garment_mask(labs) * _weight_of_middle(labs.shape[1])
    count = len(labs)
    centres, masses = _clustered(labs.reshape(count, -1, 3), weights.reshape(count, -1))
    families = families_of(centres)
    return [_as_measured(centres[i], masses[i], families[i]) for i in range(count)]


def _weight_of_middle(side: int) -> Floats:
    along = (np.arange(side, dtype=np.float32) + 0.5) / side - 0.5
    bell = np.exp(-0.5 * (along / _MIDDLE) ** 2)
    return np.outer(bell, bell).astype(np.float32)


def _clustered(colours: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Weighted k-means of each picture; returns centres ``[n, k, 3]`` and masses ``[n, k]``."""
    points = np.concatenate([colours, np.ones_like(colours[..., :1])], axis=-1)
    centres = _far_apart(colours, weights)
    masses = np.zeros(centres.shape[:2], dtype=np.float32)
    for _ in range(_ROUNDS):
        distances = _distances(colours, centres)
        nearest = distances <= distances.min(axis=1, keepdims=True)
        sums = (nearest * weights[:, None]) @ points
        masses = sums[..., 3]
        moved = sums[..., :3] / np.maximum(masses, 1e-6)[..., None]
        centres = np.where(masses[..., None] > 0, moved, centres)
    return centres, masses / np.maximum(masses.sum(axis=1, keepdims=True), 1e-6)


def _far_apart(colours: Floats, weights: Floats) -> Floats:
    """Start from the mean, then each time from the heaviest colour far from those before."""
    total = np.maximum(weights.sum(axis=1, keepdims=True), 1e-6)
    centres: Floats = (weights[:, None] @ colours) / total[..., None]
    rows = np.arange(len(colours))
    for _ in range(_COLOURS - 1):
        loneliness = _distances(colours, centres).min(axis=1) * weights
        chosen = colours[rows, loneliness.argmax(axis=1)]
        centres = np.concatenate([centres, chosen[:, None]], axis=1)
    return centres


def _distances(colours: Floats, centres: Floats) -> Floats:
    """Return squared distances ``[n, k, pixels]``."""
    products = centres @ colours.transpose(0, 2, 1)
    lengths = np.square(colours).sum(axis=-1)[:, None] + np.square(centres).sum(axis=-1)[..., None]
    return np.asarray(lengths - 2 * products, dtype=np.float32)


def _as_measured(centres: Floats, masses: Floats, families: NDArray[np.intp]) -> MeasuredColours:
    votes = np.bincount(families, weights=masses, minlength=len(FAMILY_NAMES)) * _VOTES
    main = int(votes.argmax())
    merged: list[_Blend] = []
    for index in np.argsort(-masses, kind="stable"):
        if masses[index] < _LEAST_WEIGHT and merged:
            break
        lab, mass = centres[index], float(masses[index])
        twin = next((blend for blend in merged if blend.is_like(lab)), None)
        if twin is None:
            merged.append(_Blend(lab, mass, int(families[index])))
        else:
            twin.add(lab, mass)
    merged.sort(key=lambda blend: -blend.mass)
    first = next((blend for blend in merged if blend.family == main), merged[0])
    total = sum(blend.mass for blend in merged)
    ordered = [first, *(blend for blend in merged if blend is not first)]
    palette = tuple(blend.as_colour(total) for blend in ordered)
    return MeasuredColours(palette, FAMILY_NAMES[main])


@dataclass(slots=True)
class _Blend:
    """Colours of one palette that look alike, as one."""

    lab: Floats
    mass: float
    family: int

    def is_like(self, lab: Floats) -> bool:
        return bool(np.linalg.norm(self.lab - lab) < _ALIKE)

    def add(self, lab: Floats, mass: float) -> None:
        self.mass += mass
        self.lab = self.lab + np.float32(mass / self.mass) * (lab - self.lab)

    def as_colour(self, total: float) -> PaletteColour:
        lightness, a, b = (round(float(value), 2) for value in self.lab)
        weight = round(self.mass / total, 4)
        return PaletteColour(lightness, a, b, weight, FAMILY_NAMES[self.family])

"""Colours as smooth features: how far each belongs to the families, and where it lies in CIELAB."""

from typing import Final

import numpy as np

from shared import colour
from shared.taste.arrays import Bools, Singles

FAMILIES: Final = colour.FAMILY_NAMES
COLUMNS: Final = len(FAMILIES) + 3

_ANCHORS: Final = np.concatenate(
    [[colour.hex_to_lab(code) for code in family.anchors] for family in colour.FAMILIES]
).astype(np.float32)
_STARTS: Final = np.cumsum([0] + [len(family.anchors) for family in colour.FAMILIES])[:-1]
_SOFT: Final = 8.0
"""How far, in CIELAB units, a colour shades into its neighbours. Anchors of one family lie some 15
to 25 apart: much less and the measure jumps between them, much more and navy is black."""

_MAIN: Final = 2 / 3
"""Part of the main colour where there is a second; the eye gives the ground more than the trim."""

_RANGES: Final = np.array([50.0, 40.0, 40.0], dtype=np.float32)
"""CIELAB units to which L, a and b count as one."""

_BLOCK: Final = 8192


def memberships(labs: Singles) -> Singles:
    """Return how far CIELAB colours ``[n, 3]`` belong to each family, ``[n, 16]``, summing to 1.

    Euclidean in CIELAB, not CIEDE2000: this is a smooth feature and no judgement, and a hundred
    times as fast. NaN for NaN.
    """
    blocks = [_memberships(labs[at : at + _BLOCK]) for at in range(0, len(labs), _BLOCK)]
    return np.concatenate(blocks) if blocks else np.empty((0, len(FAMILIES)), dtype=np.float32)


def families(colours: Singles) -> Singles:
    """Return memberships ``[n, 16]`` of garments by their two colours ``[n, 2, 3]``.

    The second counts half as much as the main; NaN where the main colour is not known.
    """
    main = memberships(colours[:, 0])
    second = memberships(colours[:, 1])
    known = np.isfinite(second).all(1, keepdims=True)
    mixed = np.where(known, _MAIN * main + (1 - _MAIN) * second, main)
    return np.asarray(mixed, dtype=np.float32)


def features(colours: Singles) -> Singles:
    """Return ``[n, 19]``: family memberships, then the main colour; NaN where it is not known."""
    columns = [families(colours), colours[:, 0] / _RANGES]
    return np.asarray(np.concatenate(columns, axis=1), dtype=np.float32)


def known(colours: Singles) -> Bools:
    """Return bool ``[n]``: whose main colour is known."""
    return np.asarray(np.isfinite(colours[:, 0]).all(1))


def of_code(code: str) -> Singles:
    """Return the features ``[19]`` of a garment all in ``#rrggbb``.

    Raises:
        InvalidInputError: the text is no colour code.
    """
    lab = colour.hex_to_lab(code)
    alone = np.stack([lab, np.full(3, np.nan, np.float32)])[None]
    return np.asarray(features(alone)[0], dtype=np.float32)


def _memberships(labs: Singles) -> Singles:
    squares = (labs**2).sum(1, keepdims=True) + (_ANCHORS**2).sum(1) - 2 * labs @ _ANCHORS.T
    nearest = np.minimum.reduceat(squares, _STARTS, axis=1)
    nearest -= nearest.min(1, keepdims=True)
    weights = np.exp(-nearest / (2 * _SOFT**2))
    return np.asarray(weights / weights.sum(1, keepdims=True), dtype=np.float32)

"""The main and the second colour of a picture, for an inversion that was given none.

Catalogs measure their garments with more care (`worker.catalogs`), but this engine knows no
catalogs; who has those colours passes them in.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.colour import srgb_to_lab

Floats = NDArray[np.float32]

SLOTS: Final = 2

_GROUND: Final = 10.0
"""CIE76 from the border's median colour within which a pixel is ground."""

_LEAST_GARMENT: Final = 0.02
"""Share of a picture; with less, the ground was misjudged and every pixel counts."""

_ALIKE: Final = 9.0
"""CIE76 between two colours that people would call one."""

_LEAST_SECOND: Final = 0.05

_ROUNDS: Final = 8


def measure(images: NDArray[np.uint8]) -> Floats:
    """Return the two colours of each picture, the one with more pixels first.

    Args:
        images: uint8 RGB [n, size, size, 3].

    Returns:
        float32 CIELAB [n, 2, 3]; the second is NaN where a picture has one colour.
    """
    rows = [_two_colours(_garment(lab)) for lab in srgb_to_lab(images)]
    return np.stack(rows) if rows else np.zeros((0, SLOTS, 3), np.float32)


def _garment(lab: Floats) -> Floats:
    """Return the pixels [m, 3] that are unlike the border."""
    border = np.concatenate([lab[0], lab[-1], lab[:, 0], lab[:, -1]])
    away = np.linalg.norm(lab - np.median(border, axis=0), axis=-1) > _GROUND
    return lab[away] if away.mean() >= _LEAST_GARMENT else lab.reshape(-1, 3)


def _two_colours(pixels: Floats) -> Floats:
    """2-means, started from the median and the pixel furthest from it: nothing is drawn."""
    middle = np.median(pixels, axis=0)
    furthest = pixels[np.linalg.norm(pixels - middle, axis=1).argmax()]
    centres = np.stack([middle, furthest])
    shares = np.array([1.0, 0.0])
    for _ in range(_ROUNDS):
        second = _distance(pixels, centres[1]) < _distance(pixels, centres[0])
        if not second.any() or second.all():
            break
        centres = np.stack([pixels[~second].mean(axis=0), pixels[second].mean(axis=0)])
        shares = np.array([1.0 - second.mean(), second.mean()])
    if shares.min() < _LEAST_SECOND or np.linalg.norm(centres[0] - centres[1]) < _ALIKE:
        return np.stack([middle, np.full(3, np.nan)]).astype(np.float32)
    return centres[np.argsort(-shares, kind="stable")].astype(np.float32)


def _distance(pixels: Floats, centre: Floats) -> Floats:
    away: Floats = np.linalg.norm(pixels - centre, axis=1)
    return away

"""Patterns: what is told of drawn garments, and what is left untold."""

from collections import Counter
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.demo import shapes
from shared.pictures.resize import resize_pixels, to_channels
from worker.pictures.patterns import LEAST_SIDE, PATTERNS, measure_patterns

Pixels = NDArray[np.uint8]

NAMES = {"floral": "printed"}


@cache
def drawn(count: int = 160) -> tuple[Pixels, tuple[str, ...]]:
    rng = np.random.default_rng(11)
    pictures, truth = [], []
    for _ in range(count):
        category, pattern, colour = (
            str(rng.choice(list(names)))
            for names in (shapes.SILHOUETTES, shapes.PATTERNS, shapes.CLOTHS)
        )
        pictures.append(np.asarray(shapes.draw(category, pattern, colour, rng, size=160)))
        truth.append(NAMES.get(pattern, pattern))
    return np.stack(pictures), tuple(truth)


@pytest.mark.parametrize("channels", [3, 1])
def test_what_is_told_of_drawn_garments_is_nearly_always_right(channels: int) -> None:
    pixels, truth = drawn()
    found = measure_patterns(to_channels(pixels, channels))
    told = [(one, two) for one, two in zip(truth, found, strict=True) if two is not None]
    assert len(told) > 0.7 * len(truth)
    assert sum(one == two for one, two in told) > 0.85 * len(told)


def test_every_pattern_is_found() -> None:
    pixels, truth = drawn()
    found = Counter(zip(truth, measure_patterns(pixels), strict=True))
    for pattern in PATTERNS:
        assert found[pattern, pattern] > 0.4 * truth.count(pattern), pattern


def test_nothing_is_told_of_small_pictures() -> None:
    pixels, _ = drawn()
    small = resize_pixels(pixels[:8], LEAST_SIDE - 4)
    assert measure_patterns(small) == [None] * 8
    assert measure_patterns(np.zeros((2, 28, 28, 1), np.uint8)) == [None] * 2


def test_a_picture_gets_the_same_pattern_in_any_company() -> None:
    pixels, _ = drawn()
    alone = [measure_patterns(pixels[place : place + 1])[0] for place in range(12)]
    assert alone == measure_patterns(pixels)[:12]


@pytest.mark.parametrize("shade", [0, 128, 255])
def test_an_empty_picture_has_no_pattern_but_plain(shade: int) -> None:
    found = measure_patterns(np.full((1, 160, 160, 3), shade, np.uint8))
    assert found[0] in {"plain", None}


def test_noise_is_told_as_nothing_regular() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (6, 160, 160, 3), dtype=np.uint8)
    assert not {"plain", "striped", "checked", "dotted"} & set(measure_patterns(noise))


def test_no_pictures_give_no_patterns() -> None:
    assert measure_patterns(np.zeros((0, 160, 160, 3), np.uint8)) == []

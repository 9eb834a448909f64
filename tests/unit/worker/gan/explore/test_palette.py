import itertools

import numpy as np
import pytest

from shared.colour import lab_to_srgb, srgb_to_lab
from worker.gan.explore.palette import measure


def picture(*bands: tuple[int, int, int], ground: int = 255) -> np.ndarray:
    """Bands from top to bottom in the middle of a plain ground; the first is twice as high."""
    image = np.full((24, 24, 3), ground, np.uint8)
    edges = [4, *np.linspace(4, 20, len(bands) + 2).astype(int)[2:]]
    for (start, end), colour in zip(itertools.pairwise(edges), bands, strict=True):
        image[start:end, 6:18] = colour
    return image


def test_the_ground_is_left_out_and_the_larger_colour_comes_first() -> None:
    red, blue = (200, 30, 30), (20, 40, 160)
    both = measure(np.stack([picture(red, blue), picture(blue, red)]))
    wanted = srgb_to_lab(np.array([[red, blue], [blue, red]], np.uint8))
    assert both == pytest.approx(wanted, abs=1.0)


def test_a_picture_of_one_colour_has_no_second() -> None:
    found = measure(picture((20, 120, 40), (24, 122, 44))[None])
    assert lab_to_srgb(found[0, 0]) == pytest.approx((21, 121, 41), abs=4)
    assert np.isnan(found[0, 1]).all()


@pytest.mark.parametrize("shade", [0, 90, 255])
def test_a_picture_that_is_all_ground_is_its_own_colour(shade: int) -> None:
    found = measure(np.full((1, 16, 16, 3), shade, np.uint8))
    assert found[0, 0] == pytest.approx(srgb_to_lab(np.full(3, shade, np.uint8)), abs=0.1)


def test_no_pictures_have_no_colours() -> None:
    assert measure(np.zeros((0, 16, 16, 3), np.uint8)).shape == (0, 2, 3)

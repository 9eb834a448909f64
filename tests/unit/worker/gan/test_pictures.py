"""Latents and sheets: what needs no network."""

import io

import numpy as np
import pytest
from PIL import Image

from shared.errors import InvalidInputError
from worker.gan import grid, latents


def test_a_latent_depends_on_its_own_seed_alone() -> None:
    together = latents.draw([3, 1, 2], 16)
    assert np.array_equal(together[1], latents.draw([1], 16)[0])
    assert not np.array_equal(together[0], together[1])


def test_latents_stay_the_same_from_version_to_version() -> None:
    assert latents.draw([7], 3)[0].tolist() == pytest.approx(KNOWN)


KNOWN = [-0.293339, 1.703831, 1.539192]
"""Recorded once: a change here changes every design ever made."""


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_out_of_range_is_refused(seed: int) -> None:
    with pytest.raises(InvalidInputError, match="seed"):
        latents.draw([seed], 4)


def test_bytes_round_to_the_nearest_and_never_wrap() -> None:
    values = np.array([-1.2, -1.0, 0.0, 0.999, 1.0, 1.2], np.float32)
    assert grid.to_bytes(values).tolist() == [0, 0, 128, 255, 255, 255]


def test_a_sheet_runs_left_to_right_and_ends_in_white() -> None:
    images = np.stack([np.full((2, 2, 1), shade, np.uint8) for shade in (1, 2, 3)])
    sheet = grid.assemble(images, 2)
    assert sheet[:, :, 0].tolist() == [[1, 1, 2, 2]] * 2 + [[3, 3, 255, 255]] * 2


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_a_png_holds_the_same_pixels(channels: int, mode: str) -> None:
    image = np.random.default_rng(0).integers(0, 256, (6, 8, channels)).astype(np.uint8)
    picture = Image.open(io.BytesIO(grid.png(image)))
    assert picture.mode == mode
    assert np.array_equal(np.asarray(picture).reshape(image.shape), image)


def test_a_scaled_png_repeats_pixels() -> None:
    picture = Image.open(io.BytesIO(grid.png(np.zeros((4, 6, 3), np.uint8), scale=3)))
    assert picture.size == (18, 12)

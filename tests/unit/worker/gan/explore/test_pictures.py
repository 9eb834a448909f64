from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.errors import InvalidInputError, UnreadableSourceError
from worker.gan.explore import pictures


def test_a_picture_of_the_right_size_keeps_its_pixels() -> None:
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    assert np.array_equal(pictures.fit(image, size=16, channels=3), image)


def test_what_is_transparent_turns_white() -> None:
    image = np.zeros((8, 8, 4), np.uint8)
    assert (pictures.fit(image, size=8, channels=1) == 255).all()


def test_a_wide_picture_stands_whole_between_white_bars() -> None:
    fitted = pictures.fit(np.zeros((10, 40), np.uint8), size=16, channels=1)
    assert (fitted[:6] == 255).all()
    assert (fitted[6:10] == 0).all()
    assert (fitted[10:] == 255).all()


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros((2, 4, 4, 3), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_what_is_no_picture_is_refused(image: np.ndarray) -> None:
    with pytest.raises(InvalidInputError, match="A picture must"):
        pictures.fit(image, size=16, channels=3)


def test_files_are_read_upright(tmp_path: Path) -> None:
    lying = Image.new("RGB", (4, 2), "white")
    lying.putpixel((0, 0), (255, 0, 0))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    lying.save(tmp_path / "lying.png", exif=exif)
    read = pictures.read(tmp_path / "lying.png")
    assert read.shape == (4, 2, 4)
    assert read[0, 1].tolist() == [255, 0, 0, 255]


def test_a_file_that_is_no_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(UnreadableSourceError, match=r"text\.png"):
        pictures.read(tmp_path / "text.png")

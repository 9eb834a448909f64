import numpy as np
import pytest

from worker.gan.frame import Frame


@pytest.mark.parametrize(
    ("height", "width", "side"),
    [(28, 28, 28), (22, 22, 24), (20, 31, 32), (10, 10, 16), (400, 300, 256), (255, 17, 256)],
)
def test_pictures_of_any_size_fit_a_square_and_come_back(
    height: int, width: int, side: int
) -> None:
    frame = Frame(height, width)
    down = np.linspace(0, 255, height).astype(np.uint8)[:, None, None]
    images = np.broadcast_to(down, (3, height, width, 3)).copy()
    inside = frame.inward(images)
    assert inside.shape == (3, side, side, 3)
    back = frame.outward(inside)
    assert back.shape == images.shape
    assert np.abs(back.astype(int) - images.astype(int)).mean() < 3


def test_a_padded_picture_comes_back_to_the_byte() -> None:
    images = np.random.default_rng(0).integers(0, 255, (4, 22, 30, 1)).astype(np.uint8)
    frame = Frame(22, 30)
    assert np.array_equal(frame.outward(frame.inward(images)), images)
    assert "padded to 32x32" in str(frame.words())


def test_a_plain_size_is_left_alone() -> None:
    images = np.zeros((2, 64, 64, 3), np.uint8)
    assert Frame(64, 64).inward(images) is images
    assert Frame(64, 64).words() is None

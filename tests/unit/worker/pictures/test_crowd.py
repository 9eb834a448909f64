import numpy as np
import pytest
from numpy.typing import NDArray

from worker.pictures.crowd import Crowd


def cloud(count: int, *, seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(count, 128)).astype(np.float32)


def apart(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = np.linalg.norm(first[:, None] - second[None], axis=2)
    return found


def test_a_copy_is_at_no_distance_far_from_the_origin_too() -> None:
    many = cloud(1500, seed=6) + 100.0
    found = Crowd(many).nearest(many[700:710])
    assert found == pytest.approx(np.zeros(10), abs=1e-5)


def test_the_nearest_of_many_is_the_nearest_by_hand() -> None:
    first, second = cloud(530, seed=7), cloud(40, seed=8)
    by_hand = apart(first, second).min(axis=1)
    assert Crowd(second).nearest(first) == pytest.approx(by_hand)
    assert Crowd(second, np.float32).nearest(first) == pytest.approx(by_hand, rel=1e-4)


def test_single_precision_tells_a_copy_from_all_else() -> None:
    many = cloud(1500, seed=6) + 3.0
    crowd = Crowd(many, np.float32)
    assert crowd.nearest(many[:500]).max() < 0.01 * apart(many[:200], many[200:400]).min()
    assert crowd.nbytes == pytest.approx(many.nbytes, rel=0.01)


def test_to_nobody_all_are_infinitely_far_and_nobody_is_near_to_none() -> None:
    nobody = cloud(0, seed=1)
    assert np.isinf(Crowd(nobody).nearest(cloud(3, seed=2))).all()
    assert Crowd(cloud(3, seed=2)).nearest(nobody).shape == (0,)

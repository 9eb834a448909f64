import numpy as np
import pytest
from numpy.typing import NDArray

from shared.errors import InvalidInputError
from worker.gan.measure.distances import (
    Moments,
    classifier_score,
    frechet_distance,
    frechet_estimate,
    kernel_distance,
)

Rows = NDArray[np.float64]


def gaussian(n: int, *, seed: int, mean: float = 0.0, scale: float = 1.0, d: int = 8) -> Rows:
    return np.random.default_rng(seed).normal(mean, scale, (n, d))


def unbiased_mmd(x: Rows, y: Rows) -> float:
    """The estimator as the paper writes it, with loops' plainness."""
    d = x.shape[1]
    xx, yy, xy = ((a @ b.T / d + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    n, m = len(x), len(y)
    return float(
        (xx.sum() - np.trace(xx)) / (n * (n - 1))
        + (yy.sum() - np.trace(yy)) / (m * (m - 1))
        - 2 * xy.mean()
    )


def test_the_frechet_distance_of_two_gaussians_is_the_closed_form() -> None:
    first = Moments(np.array([1.0, 2.0]), np.diag([4.0, 9.0]), 100)
    second = Moments(np.array([1.0, 5.0]), np.diag([1.0, 25.0]), 100)
    expected = 3.0**2 + (2.0 - 1.0) ** 2 + (3.0 - 5.0) ** 2
    assert frechet_distance(first, second) == pytest.approx(expected)
    assert frechet_distance(second, first) == pytest.approx(expected)


def test_the_frechet_distance_does_not_change_when_both_are_turned() -> None:
    x, y = gaussian(300, seed=1), gaussian(300, seed=2, mean=0.5, scale=2.0)
    turn, _ = np.linalg.qr(gaussian(8, seed=3))
    plain = frechet_distance(Moments.of(x), Moments.of(y))
    turned = frechet_distance(Moments.of(x @ turn), Moments.of(y @ turn))
    assert turned == pytest.approx(plain, rel=1e-9)


def test_a_set_is_at_no_frechet_distance_from_itself() -> None:
    same = Moments.of(gaussian(200, seed=4, d=128))
    assert frechet_distance(same, same) == pytest.approx(0.0, abs=1e-6)


def test_fewer_images_than_features_still_give_a_frechet_distance() -> None:
    few, many = gaussian(20, seed=5, d=128), gaussian(2000, seed=6, d=128)
    found = frechet_distance(Moments.of(few), Moments.of(many))
    assert np.isfinite(found)
    assert 0 < found < 2 * 128


def test_samples_of_the_known_gaussians_come_near_the_closed_form() -> None:
    x = gaussian(20_000, seed=7)
    y = gaussian(20_000, seed=8, mean=1.0, scale=2.0)
    found = frechet_estimate(x, Moments.of(y))
    assert found.value == pytest.approx(8 * 1.0 + 8 * 1.0, rel=0.03)
    assert abs(found.value - 16.0) < 4 * found.error


def test_the_kernel_distance_is_the_unbiased_estimator() -> None:
    x, y = gaussian(57, seed=1), gaussian(83, seed=2, mean=0.3)
    assert kernel_distance(x, y, seed=0).value == pytest.approx(unbiased_mmd(x, y))


def test_the_kernel_distance_of_one_distribution_is_zero_on_average() -> None:
    found = [
        kernel_distance(gaussian(60, seed=s), gaussian(60, seed=1000 + s), seed=s).value
        for s in range(200)
    ]
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(len(found))


def test_the_kernel_distance_sees_another_distribution_beyond_its_error() -> None:
    found = kernel_distance(gaussian(500, seed=1), gaussian(500, seed=2, mean=0.5), seed=0)
    assert found.value > 5 * found.error > 0


def test_the_kernel_distance_repeats_for_a_seed() -> None:
    x, y = gaussian(6000, seed=1), gaussian(6000, seed=2)
    assert kernel_distance(x, y, seed=3) == kernel_distance(x, y, seed=3)


def test_the_score_is_one_when_every_image_looks_alike_and_the_number_of_values_when_sure() -> None:
    assert classifier_score(np.full((50, 4), 0.25)) == pytest.approx(1.0)
    assert classifier_score(np.eye(4)[np.arange(400) % 4]) == pytest.approx(4.0)


@pytest.mark.parametrize("shape", [(3, 8), (8,)])
def test_too_few_rows_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInputError, match="at least 4 rows"):
        kernel_distance(np.zeros(shape), np.zeros((10, 8)), seed=0)

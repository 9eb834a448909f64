import numpy as np
import pytest
from numpy.typing import NDArray

from shared.errors import InvalidInputError
from worker.gan.measure.neighbours import Prdc, prdc

Rows = NDArray[np.float64]


def cloud(n: int, *, seed: int, mean: float = 0.0) -> Rows:
    return np.random.default_rng(seed).normal(mean, 1.0, (n, 6))


def apart(x: Rows, y: Rows) -> Rows:
    distances: Rows = np.sqrt(np.square(x[:, np.newaxis] - y[np.newaxis]).sum(axis=2))
    return distances


def by_hand(real: Rows, generated: Rows, k: int) -> Prdc:
    """All distances at once, as the papers define the four."""
    reach = np.sort(apart(real, real), axis=1)[:, k]
    own = np.sort(apart(generated, generated), axis=1)[:, k]
    between = apart(real, generated)
    inside = between <= reach[:, np.newaxis]
    return Prdc(
        precision=float(inside.any(axis=0).mean()),
        recall=float((between <= own).any(axis=1).mean()),
        density=float(inside.sum(axis=0).mean() / k),
        coverage=float(inside.any(axis=1).mean()),
    )


@pytest.mark.parametrize(("n", "m", "mean"), [(600, 700, 0.0), (90, 40, 1.0), (1100, 6, 3.0)])
def test_all_four_are_those_of_a_plain_count(n: int, m: int, mean: float) -> None:
    real, generated = cloud(n, seed=1), cloud(m, seed=2, mean=mean)
    found, expected = prdc(real, generated, k=5), by_hand(real, generated, 5)
    for name in ("precision", "recall", "density", "coverage"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name)), name


def test_copies_of_the_real_images_are_found_whole() -> None:
    real = cloud(200, seed=3)
    found = prdc(real, real.copy())
    assert (found.precision, found.recall, found.coverage) == (1.0, 1.0, 1.0)


def test_generated_images_all_alike_have_precision_but_no_recall() -> None:
    real = cloud(200, seed=4)
    alike = np.repeat(real[:1], 50, axis=0) + cloud(50, seed=5) * 1e-6
    found = prdc(real, alike)
    assert found.precision == 1.0
    assert found.recall <= 1 / 200
    assert found.coverage < 0.2


def test_as_few_images_as_neighbours_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="more than 5 images"):
        prdc(cloud(5, seed=1), cloud(50, seed=2))

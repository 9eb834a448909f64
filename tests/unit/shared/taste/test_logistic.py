"""The fit: always finds the one maximum, and its doubt is Laplace's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import InvalidInputError
from shared.taste.arrays import Floats, expit, log_expit
from shared.taste.logistic import Gaussian, Observations, fit


def some_prior(d: int, seed: int = 0, scale: float = 1.0) -> Gaussian:
    rng = np.random.default_rng(seed)
    root = np.linalg.cholesky(np.eye(d) + 0.3 * (a := rng.normal(size=(d, d))) @ a.T / d)
    return Gaussian(rng.normal(size=d) * 0.3, np.asarray(scale * root, dtype=np.float64))


def seen(n: int, d: int, seed: int = 0) -> Observations:
    rng = np.random.default_rng(seed)
    return Observations(rng.normal(size=(n, d)), rng.choice([-1.0, 1.0], n), rng.uniform(0.1, 1, n))


def slope(weights: Floats, told: Observations, prior: Gaussian) -> Floats:
    pulls = told.weights * told.signs * expit(-told.signs * (told.rows @ weights))
    return told.rows.T @ pulls - np.linalg.solve(prior.covariance, weights - prior.mean)


@pytest.mark.parametrize("n", [1, 5, 19, 20, 21, 60])
def test_the_slope_is_zero_and_the_covariance_is_laplaces(n: int) -> None:
    prior, told = some_prior(20), seen(n, 20)
    found = fit(told, prior)
    assert np.abs(slope(found.mean, told, prior)).max() < 1e-3
    odds = expit(told.rows @ found.mean)
    bent = (told.rows.T * (told.weights * odds * (1 - odds))) @ told.rows
    expected = np.linalg.inv(np.linalg.inv(prior.covariance) + bent)
    assert np.allclose(found.covariance, expected, atol=1e-9)


@given(
    st.integers(1, 40), st.integers(1, 30), st.integers(0, 2**32),
    st.floats(0.01, 1e3), st.floats(0.01, 1e3),
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_it_converges_for_any_separable_data(
    n: int, d: int, seed: int, scale: float, spread: float
) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, d)) * scale
    signs = np.where(rows @ rng.normal(size=d) > 0, 1.0, -1.0)
    found = fit(Observations(rows, signs, np.ones(n)), some_prior(d, seed % 7, spread))
    assert np.isfinite(found.mean).all()
    assert np.isfinite(found.root).all()


def test_a_score_is_the_priors_plus_what_each_observation_pulls() -> None:
    prior, told = some_prior(20), seen(12, 20)
    found = fit(told, prior)
    represented = prior.mean + prior.covariance @ told.rows.T @ found.pulls
    assert np.allclose(found.mean, represented, atol=1e-4)


def test_no_observation_leaves_the_prior() -> None:
    prior = some_prior(6)
    found = fit(seen(0, 6), prior)
    assert np.allclose(found.mean, prior.mean)
    assert np.allclose(found.covariance, prior.covariance)


def test_a_weight_of_two_is_the_same_seen_twice() -> None:
    prior, told = some_prior(8), seen(4, 8)
    twice = Observations(
        np.tile(told.rows, (2, 1)), np.tile(told.signs, 2), np.tile(told.weights, 2)
    )
    double = Observations(told.rows, told.signs, 2 * told.weights)
    assert np.allclose(fit(twice, prior).mean, fit(double, prior).mean, atol=1e-4)


def test_observations_only_narrow_the_belief() -> None:
    prior, told = some_prior(15), seen(10, 15)
    rows = np.random.default_rng(3).normal(size=(50, 15))
    assert (fit(told, prior).spreads(rows) <= prior.spreads(rows) + 1e-9).all()


def test_doubt_draws_probabilities_towards_even() -> None:
    row = np.ones((1, 1))
    sure = Gaussian(np.array([2.0]), np.array([[0.01]])).probabilities(row)[0]
    unsure = Gaussian(np.array([2.0]), np.array([[3.0]])).probabilities(row)[0]
    assert 0.5 < unsure < sure == pytest.approx(float(expit(np.array([2.0]))[0]), abs=1e-4)


def test_the_approximate_probability_is_near_the_averaged_one() -> None:
    belief = some_prior(5, scale=1.5)
    rows = np.random.default_rng(1).normal(size=(8, 5))
    drawn = belief.draw(np.random.default_rng(2), 100_000)
    assert np.allclose(belief.probabilities(rows), expit(drawn @ rows.T).mean(0), atol=0.02)


def test_drawn_weights_have_the_beliefs_moments() -> None:
    belief = some_prior(4)
    drawn = belief.draw(np.random.default_rng(0), 100_000)
    assert np.allclose(drawn.mean(0), belief.mean, atol=0.02)
    assert np.allclose(np.cov(drawn.T), belief.covariance, atol=0.05)


def test_extreme_logits_stay_finite() -> None:
    far = np.array([-1e4, 0.0, 1e4])
    assert expit(far).tolist() == [0, 0.5, 1]
    assert log_expit(far) == pytest.approx([-1e4, -np.log(2), 0])


def test_rows_of_another_space_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="one feature space"):
        fit(seen(3, 5), some_prior(6))
    with pytest.raises(InvalidInputError, match="not finite"):
        fit(Observations(np.full((1, 2), np.nan), np.ones(1), np.ones(1)), some_prior(2))
    with pytest.raises(InvalidInputError, match="3 signs"):
        Observations(np.zeros((3, 2)), np.ones(2), np.ones(3))
    with pytest.raises(InvalidInputError, match="cannot have a root"):
        Gaussian(np.zeros(3), np.eye(2))

"""The population prior: broad without shoppers, sound with few, a help to those who like little."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import ConflictError, TasteCorruptError
from shared.taste import prior as priors
from shared.taste import space
from shared.taste.arrays import Floats, expit
from shared.taste.gallery import Gallery
from shared.taste.logistic import Gaussian, Observations, fit

COLUMNS = 12


def start() -> priors.Prior:
    root = np.eye(COLUMNS) * np.sqrt(priors.BROAD)
    return priors.Prior(Gaussian(np.zeros(COLUMNS), root), "here", 0)


def shopper(weights: Floats, rng: np.random.Generator, count: int) -> Observations:
    rows = rng.normal(size=(count, len(weights)))
    liked = rng.random(count) < expit(rows @ weights)
    return Observations(rows, np.where(liked, 1.0, -1.0), np.ones(count))


def population(rng: np.random.Generator, count: int) -> Floats:
    """Draw tastes that share a mean and vary along three directions only."""
    mean = np.zeros(COLUMNS)
    mean[:3] = 1.5
    along = rng.normal(size=(3, COLUMNS))
    return np.asarray(mean + 1.2 * rng.normal(size=(count, 3)) @ along / np.sqrt(3))


def test_without_shoppers_the_prior_is_broad(gallery: Gallery) -> None:
    broad = priors.broad(gallery.space)
    assert priors.learn([], broad) == broad
    assert not broad.belief.mean.any()
    assert np.allclose(broad.belief.covariance, priors.BROAD * np.eye(gallery.space.columns))


def test_three_likes_move_the_taste_further_with_a_population_behind_them() -> None:
    rng = np.random.default_rng(0)
    tastes = population(np.random.default_rng(1), 260)
    learned = priors.learn([shopper(one, rng, 30) for one in tastes[:200]], start())
    garments = rng.normal(size=(400, COLUMNS))
    flat: list[float] = []
    informed: list[float] = []
    for weights in tastes[200:]:
        utility = garments @ weights
        liked = rng.choice(np.flatnonzero(utility > np.quantile(utility, 0.8)), 3, replace=False)
        told = Observations(garments[liked], np.ones(3), np.ones(3))
        for prior, found in ((start(), flat), (learned, informed)):
            scores = fit(told, prior.belief).means(garments)
            found.append(float(np.corrcoef(scores, utility)[0, 1]))
    assert np.mean(flat) > 0.3, "three likes help by themselves"
    assert np.mean(informed) > np.mean(flat) + 0.2
    assert np.mean(np.array(informed) > np.array(flat)) > 0.85


def test_the_populations_mean_and_directions_are_found() -> None:
    rng = np.random.default_rng(2)
    tastes = population(np.random.default_rng(3), 250)
    learned = priors.learn([shopper(one, rng, 40) for one in tastes], start(), rounds=8).belief
    assert np.corrcoef(learned.mean, tastes.mean(0))[0, 1] > 0.95
    true = np.cov(tastes.T)
    assert np.corrcoef(learned.covariance.ravel(), true.ravel())[0, 1] > 0.9


@given(st.integers(1, 6), st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_few_shoppers_give_a_sound_prior(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    seen = [shopper(one, rng, 5) for one in population(rng, count)]
    learned = priors.learn(seen, start(), rounds=3)
    spread = np.linalg.eigvalsh(learned.belief.covariance)
    assert learned.shoppers == count
    assert spread[0] > 0.05
    assert spread[-1] / spread[0] < 1000


def test_one_shopper_hardly_moves_the_prior_and_many_do() -> None:
    rng = np.random.default_rng(4)
    same = np.full(COLUMNS, 1.0)
    one = priors.learn([shopper(same, rng, 40)], start()).belief
    many = priors.learn([shopper(same, rng, 40) for _ in range(100)], start()).belief
    assert np.linalg.norm(one.mean) < 0.25 * np.linalg.norm(same)
    assert np.linalg.norm(many.mean - same) < 0.4 * np.linalg.norm(same)
    assert np.trace(many.covariance) < np.trace(one.covariance)


def test_a_prior_survives_the_way_to_bytes_and_back() -> None:
    rng = np.random.default_rng(5)
    learned = priors.learn([shopper(one, rng, 9) for one in population(rng, 5)], start())
    data = priors.write(learned)
    again = priors.read(data)
    assert (again.space, again.shoppers) == ("here", 5)
    assert np.array_equal(again.belief.mean, learned.belief.mean)
    assert np.array_equal(again.belief.root, learned.belief.root)
    assert priors.write(again) == data


@pytest.mark.parametrize("keep", [0, 10, 300])
def test_a_cut_prior_is_refused(keep: int) -> None:
    with pytest.raises(TasteCorruptError, match="taste prior"):
        priors.read(priors.write(start())[:keep])


def test_a_prior_that_is_not_finite_is_refused() -> None:
    broken = priors.Prior(Gaussian(np.full(2, np.nan), np.eye(2)), "here", 1)
    with pytest.raises(TasteCorruptError, match="not finite"):
        priors.read(priors.write(broken))


def test_a_prior_of_another_space_is_refused(gallery: Gallery) -> None:
    priors.broad(gallery.space).require(gallery.space)
    other = space.learn(gallery.items.take(np.arange(100)))
    with pytest.raises(ConflictError, match="another feature space"):
        priors.broad(gallery.space).require(other)

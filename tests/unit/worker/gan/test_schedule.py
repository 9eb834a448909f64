from dataclasses import replace

import pytest

from worker.gan.recipe import Hyperparameters, Recipe
from worker.gan.schedule import (
    Budget,
    conditioning,
    kept_share,
    learning_rate,
    penalty_share,
)


def test_the_learning_rate_holds_and_then_falls(tiny: Hyperparameters) -> None:
    rates = [learning_rate(tiny, fraction, step=10**6) for fraction in (0.0, 0.5, 0.75, 1.0)]
    assert rates == pytest.approx([2e-3, 2e-3, 1.1e-3, 2e-4])


def test_the_learning_rate_rises_over_the_first_steps(tiny: Hyperparameters) -> None:
    warm = replace(tiny, warm_steps=200)
    rates = [learning_rate(warm, 0.0, step=step) for step in (0, 99, 199, 500)]
    assert rates == pytest.approx([1e-5, 1e-3, 2e-3, 2e-3])


def test_a_rate_that_never_falls_is_constant(tiny: Hyperparameters) -> None:
    even = replace(tiny, hold=1.0, warm_steps=0)
    assert learning_rate(even, 1.0, step=5) == tiny.learning_rate


def test_the_average_follows_at_once_at_first_and_slowly_later(tiny: Hyperparameters) -> None:
    assert kept_share(tiny, 0) == 0
    assert kept_share(tiny, 1000) < kept_share(tiny, 100_000) < kept_share(tiny, 10**9) < 1
    assert kept_share(tiny, 10**9) == kept_share(tiny, 10**10)


def test_conditions_come_in_over_the_ramp(tiny: Hyperparameters) -> None:
    ramped = replace(tiny, ramp=0.2)
    told = [conditioning(ramped, fraction) for fraction in (0.0, 0.1, 0.15, 0.2, 1.0)]
    assert told == pytest.approx([0, 0, 0.5, 1, 1])
    assert conditioning(tiny, 0.0) == 1.0


def test_the_penalty_falls_by_the_same_factor_in_equal_parts(tiny: Hyperparameters) -> None:
    falling = replace(tiny, final_gamma=0.01)
    shares = [penalty_share(falling, fraction) for fraction in (0.0, 0.5, 1.0)]
    assert shares == pytest.approx([1.0, 0.1, 0.01])
    assert penalty_share(tiny, 1.0) == 1.0


def test_a_budget_in_images_counts_images_and_one_in_minutes_seconds() -> None:
    now = [100.0]
    images = Budget(Recipe(images=1000), lambda: now[0])
    minutes = Budget(Recipe(minutes=2), lambda: now[0], before=30.0)
    now[0] += 30
    assert images.fraction(250) == 0.25
    assert minutes.fraction(0) == 0.5
    assert minutes.elapsed() == 60

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from worker.gan.data import Dataset
from worker.gan.recipe import Hyperparameters
from worker.gan.watchdog import (
    LADDER,
    LOST_REPORTS,
    POOR_SHEETS,
    QUIET_IMAGES,
    QUIET_STEPS,
    STEEP,
    USUAL_REPORTS,
    Watchdog,
    _small,
    coverage,
    quiet_images,
    remedied,
    spread,
)

LATE = 10 * QUIET_IMAGES


def samples(garments: Dataset, *, alike: bool) -> NDArray[np.uint8]:
    """Eight garments of each shape, or one of each eight times."""
    shape = garments.labels["shape"]
    rows = [garments.images[np.flatnonzero(shape == value)[:8]] for value in (0, 1)]
    return np.stack([np.repeat(row[:1], 8, axis=0) if alike else row for row in rows])


def test_a_margin_that_stays_wide_is_a_collapse(garments: Callable[..., Dataset]) -> None:
    dog = Watchdog(garments())
    for _ in range(LOST_REPORTS - 1):
        dog.see_losses({"generator": 4.5}, LATE)
        assert dog.verdict() is None
        assert dog.uneasy
    dog.see_losses({"generator": 4.5}, LATE)
    assert "told nearly all" in str(dog.verdict())
    dog.forget()
    assert not dog.uneasy


def test_one_good_report_ends_the_row(garments: Callable[..., Dataset]) -> None:
    dog = Watchdog(garments())
    for loss in [4.5] * (LOST_REPORTS - 1) + [1.5] + [4.5] * (LOST_REPORTS - 1):
        dog.see_losses({"generator": loss}, LATE)
    assert dog.verdict() is None


def test_the_first_images_prove_nothing(garments: Callable[..., Dataset]) -> None:
    dog = Watchdog(garments())
    for _ in range(3 * LOST_REPORTS):
        dog.see_losses({"generator": 8.0}, QUIET_IMAGES - 1)
        dog.see_samples(samples(garments(), alike=True), QUIET_IMAGES - 1)
    assert not dog.uneasy


def test_the_classic_losses_are_left_alone_for_longer(tiny: Hyperparameters) -> None:
    assert quiet_images(tiny) == QUIET_IMAGES
    classic = replace(tiny, loss="saturating-free", batch=256)
    assert quiet_images(classic) == QUIET_STEPS * 256


def test_samples_that_are_all_alike_are_a_collapse(garments: Callable[..., Dataset]) -> None:
    dog = Watchdog(garments())
    for _ in range(POOR_SHEETS):
        assert dog.verdict() is None
        dog.see_samples(samples(garments(), alike=True), LATE)
    assert "nearly all alike" in str(dog.verdict())


def test_samples_as_varied_as_the_catalog_are_not(garments: Callable[..., Dataset]) -> None:
    dog = Watchdog(garments())
    for _ in range(POOR_SHEETS):
        dog.see_samples(samples(garments(), alike=False), LATE)
    assert not dog.uneasy


def test_an_even_catalog_is_not_asked_for_a_spread_that_it_has_not() -> None:
    even = Dataset(
        np.full((40, 16, 16, 1), 90, np.uint8),
        {"shape": np.zeros(40, np.int32)},
        {"shape": ("flat", "other")},
        "even",
    )
    dog = Watchdog(even)
    for _ in range(POOR_SHEETS):
        dog.see_samples(np.full((1, 8, 16, 16, 1), 90, np.uint8), LATE)
    assert not dog.uneasy


def test_spread_is_in_grey_levels() -> None:
    rows = np.zeros((1, 2, 4, 4, 1), np.uint8)
    rows[0, 1] = 100
    assert spread(rows) == 50.0


def test_the_ladder_changes_one_thing_a_rung_and_only_gently_at_first(
    tiny: Hyperparameters,
) -> None:
    first, second = (remedied(tiny, rungs, usual=tiny.learning_rate) for rungs in (1, 2))
    assert (first.learning_rate, first.gamma) == (tiny.learning_rate / 2, tiny.gamma)
    assert (second.learning_rate, second.gamma) == (first.learning_rate, 2 * tiny.gamma)
    last = remedied(tiny, len(LADDER), usual=tiny.learning_rate)
    assert last.learning_rate == tiny.learning_rate / 64
    assert last.shift > tiny.shift
    assert last.cutout > tiny.cutout
    assert last.generator_widths == tiny.generator_widths
    assert [remedy.anew for remedy in LADDER] == [False] * 5 + [True]


def test_a_penalty_that_was_switched_off_comes_back(tiny: Hyperparameters) -> None:
    assert remedied(replace(tiny, gamma=0.0), 2, usual=1e-3).gamma == 1.0


def test_a_rate_far_above_the_usual_one_comes_back_to_it_at_the_first_rung(
    tiny: Hyperparameters,
) -> None:
    usual = tiny.learning_rate
    fast, faster = (replace(tiny, learning_rate=times * usual) for times in (1.5, 50))
    assert remedied(fast, 1, usual=usual).learning_rate == 0.75 * usual
    assert remedied(faster, 1, usual=usual).learning_rate == usual
    assert remedied(faster, 3, usual=usual).learning_rate == usual / 4


def test_a_discriminator_that_is_fooled_for_good_is_a_collapse(
    garments: Callable[..., Dataset],
) -> None:
    dog = Watchdog(garments())
    for _ in range(LOST_REPORTS):
        dog.see_losses({"generator": 0.01, "discriminator": 5.0}, LATE)
    assert "no longer told" in str(dog.verdict())


def test_gradients_a_hundred_times_as_long_as_usual_are_a_collapse(
    garments: Callable[..., Dataset],
) -> None:
    dog = Watchdog(garments())
    for _ in range(USUAL_REPORTS):
        dog.see_losses({"generator_gradient": 2.0}, LATE)
    assert not dog.uneasy
    for _ in range(LOST_REPORTS):
        dog.see_losses({"generator_gradient": 2.1 * STEEP}, LATE)
    assert "100 times as long" in str(dog.verdict())


def test_samples_beside_a_few_garments_are_a_collapse() -> None:
    images = np.random.default_rng(0).integers(0, 255, (200, 16, 16, 3)).astype(np.uint8)
    shape = (np.arange(200) % 2).astype(np.int32)
    dog = Watchdog(Dataset(images, {"shape": shape}, {"shape": ("upright", "flat")}, "noise"))
    two = np.tile(images[:2], (2, 4, 1, 1, 1)).reshape(2, 8, 16, 16, 3)
    for _ in range(POOR_SHEETS):
        assert dog.verdict() is None
        dog.see_samples(two, LATE)
    assert "beside a few garments" in str(dog.verdict())


def test_real_garments_are_each_their_own_nearest() -> None:
    images = np.random.default_rng(0).integers(0, 255, (50, 16, 16, 3)).astype(np.uint8)
    assert coverage(images, _small(images)) == 1.0
    assert coverage(np.repeat(images[:1], 50, axis=0), _small(images)) == 1 / 50

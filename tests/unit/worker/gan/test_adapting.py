from dataclasses import replace

import pytest

from worker.gan.adapting import EVERY_IMAGES, HIGHEST, AugmentChance
from worker.gan.recipe import Hyperparameters

BY_HEART = {"seen": 2.0, "held_out": 0.0, "generated": -1.0}
FRESH = {"seen": 1.0, "held_out": 0.9, "generated": -1.0}


@pytest.fixture
def chance(tiny: Hyperparameters) -> AugmentChance:
    return AugmentChance(replace(tiny, augment_target=0.3), 0.4)


def test_what_is_learned_by_heart_is_augmented_more(chance: AugmentChance) -> None:
    chance.look(BY_HEART, 10_000, 100_000)
    assert chance.chance == pytest.approx(0.5)
    assert chance.by_heart == pytest.approx(2 / 3)


def test_what_is_not_is_augmented_less(chance: AugmentChance) -> None:
    chance.look(FRESH, 10_000, 100_000)
    assert chance.chance == pytest.approx(0.3)


def test_the_chance_stays_within_its_limits(chance: AugmentChance) -> None:
    for images in range(100_000, 1_000_000, 100_000):
        chance.look(BY_HEART, images, 100_000)
    assert chance.chance == HIGHEST
    for images in range(1_000_000, 3_000_000, 100_000):
        chance.look(FRESH, images, 100_000)
    assert chance.chance == 0


def test_looks_go_by_images(chance: AugmentChance) -> None:
    assert not chance.due(EVERY_IMAGES - 1)
    assert chance.due(EVERY_IMAGES)
    chance.look(FRESH, EVERY_IMAGES, 100_000)
    assert not chance.due(EVERY_IMAGES + 1)


def test_without_a_target_nobody_looks(tiny: Hyperparameters) -> None:
    assert not AugmentChance(tiny, 1.0).due(10**9)


def test_a_remedy_only_adds(chance: AugmentChance) -> None:
    chance.follow(replace(chance.hyper, augment=0.0))
    assert chance.chance == 0.4
    chance.follow(replace(chance.hyper, augment=0.7))
    assert chance.chance == 0.7


def test_it_survives_a_checkpoint(chance: AugmentChance) -> None:
    chance.look(BY_HEART, 10_000, 100_000)
    again = AugmentChance(chance.hyper, **chance.as_dict())  # type: ignore[arg-type]  # as_dict's own words
    assert again == chance

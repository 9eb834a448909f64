import json

import pytest

from shared.errors import InvalidInputError
from worker.gan.recipe import Hyperparameters, Recipe, resolutions, resolve


@pytest.mark.parametrize(
    ("size", "sides"),
    [
        (16, (8, 16)),
        (28, (7, 14, 28)),
        (32, (8, 16, 32)),
        (36, (5, 9, 18, 36)),
        (64, (8, 16, 32, 64)),
        (256, (8, 16, 32, 64, 128, 256)),
    ],
)
def test_resolutions_halve_down_to_eight_or_less(size: int, sides: tuple[int, ...]) -> None:
    assert resolutions(size) == sides


@pytest.mark.parametrize("size", range(16, 257, 4))
def test_auto_gives_one_width_a_resolution(size: int) -> None:
    settled, _ = resolve(
        Recipe(minutes=1), size=size, channels=3, garments=100, imbalance=1, device="cpu"
    )
    assert settled.hyper is not None
    assert len(settled.hyper.generator_widths) == len(resolutions(size))
    assert len(settled.hyper.discriminator_widths) == len(resolutions(size)) - 1


@pytest.mark.parametrize(
    "budget", [{}, {"minutes": 1.0, "images": 5}, {"minutes": 0}, {"images": -1}]
)
def test_exactly_one_budget_above_zero_is_needed(budget: dict[str, float]) -> None:
    with pytest.raises(InvalidInputError, match="exactly one budget"):
        Recipe(**budget)  # type: ignore[arg-type]  # wrong on purpose


def test_an_unknown_preset_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidInputError, match="auto, residual"):
        Recipe(preset="huge", minutes=1)  # type: ignore[arg-type]  # wrong on purpose


def test_a_recipe_survives_json() -> None:
    hyper = Hyperparameters(generator_widths=(8, 4), discriminator_widths=(8,))
    recipe = Recipe(images=10, seed=3, hyper=hyper)
    assert Recipe.from_dict(json.loads(json.dumps(recipe.as_dict()))) == recipe


def test_auto_says_what_it_chose_for_a_small_uneven_catalog() -> None:
    settled, choices = resolve(
        Recipe(minutes=1), size=32, channels=3, garments=2000, imbalance=9, device="cpu"
    )
    assert settled.preset == "residual"
    assert settled.hyper is not None
    assert settled.hyper.flip
    assert settled.hyper.balance > 0
    assert any("2000 garments" in choice for choice in choices)
    assert any("9 times the rarest" in choice for choice in choices)


def test_auto_leaves_a_large_even_catalog_as_it_is() -> None:
    settled, _ = resolve(
        Recipe(minutes=1), size=28, channels=1, garments=60_000, imbalance=1, device="cpu"
    )
    assert settled.hyper is not None
    assert (settled.hyper.flip, settled.hyper.shift, settled.hyper.balance) == (False, 0, 0)


def test_settings_that_were_given_are_kept(tiny: Hyperparameters) -> None:
    settled, _ = resolve(
        Recipe(minutes=1, hyper=tiny), size=16, channels=3, garments=50, imbalance=1, device="cpu"
    )
    assert settled.hyper == tiny

import json

import pytest

from shared.errors import InvalidInputError
from worker.gan.choices import Situation, resolve
from worker.gan.recipe import Hyperparameters, Preset, Recipe, resolutions


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
    settled, _ = resolve(Recipe(minutes=1), Situation(size, 3, 100, 1, "cpu"))
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
    with pytest.raises(InvalidInputError, match="auto, residual, dcgan, mlp, vae"):
        Recipe(preset="huge", minutes=1)  # type: ignore[arg-type]  # wrong on purpose


def test_a_recipe_survives_json() -> None:
    hyper = Hyperparameters(generator_widths=(8, 4), discriminator_widths=(8,))
    recipe = Recipe(images=10, seed=3, hyper=hyper)
    assert Recipe.from_dict(json.loads(json.dumps(recipe.as_dict()))) == recipe


def test_auto_says_what_it_chose_for_a_small_uneven_catalog() -> None:
    settled, choices = resolve(Recipe(minutes=1), Situation(32, 3, 2000, 9, "cpu"))
    assert settled.preset == "residual"
    assert settled.hyper is not None
    assert settled.hyper.flip
    assert settled.hyper.balance > 0
    assert any("2000 garments" in choice for choice in choices)
    assert any("9 times the rarest" in choice for choice in choices)


def test_auto_leaves_a_large_even_catalog_as_it_is() -> None:
    settled, _ = resolve(Recipe(minutes=1), Situation(28, 1, 60_000, 1, "cpu"))
    assert settled.hyper is not None
    assert (settled.hyper.flip, settled.hyper.shift, settled.hyper.balance) == (False, 0, 0)


def test_settings_that_were_given_are_kept(tiny: Hyperparameters) -> None:
    settled, _ = resolve(Recipe(minutes=1, hyper=tiny), Situation(16, 3, 50, 1, "cpu"))
    assert settled.hyper == tiny


@pytest.mark.parametrize("preset", ["residual", "dcgan", "mlp", "vae"])
def test_every_preset_has_settings_and_says_so(preset: str) -> None:
    asked = Recipe(minutes=1, preset=preset)  # type: ignore[arg-type]  # one of them
    settled, choices = resolve(asked, Situation(32, 3, 5000, 1, "cpu"))
    assert settled.preset == preset
    assert settled.hyper is not None
    assert preset in choices[0]


@pytest.mark.parametrize(("width", "times"), [("s", 1), ("m", 2), ("l", 3)])
def test_a_width_that_was_asked_for_is_taken(width: str, times: int) -> None:
    narrow, _ = resolve(Recipe(minutes=1, width="s"), Situation(32, 3, 5000, 1, "cpu"))
    settled, _ = resolve(Recipe(minutes=1, width=width), Situation(32, 3, 5000, 1, "cpu"))  # type: ignore[arg-type]  # one of them
    assert narrow.hyper is not None
    assert settled.hyper is not None
    assert settled.hyper.generator_widths == tuple(times * w for w in narrow.hyper.generator_widths)


def test_a_balance_that_was_asked_for_is_taken() -> None:
    settled, choices = resolve(Recipe(minutes=1, balance=1.0), Situation(32, 3, 5000, 9, "cpu"))
    assert settled.hyper is not None
    assert settled.hyper.balance == 1.0
    assert any("asked for" in choice for choice in choices)


def test_colours_as_a_condition_are_never_changed_by_augmentation() -> None:
    plain, _ = resolve(Recipe(minutes=1), Situation(32, 3, 100, 1, "cpu"))
    tinted, _ = resolve(Recipe(minutes=1), Situation(32, 3, 100, 1, "cpu", colours=True))
    assert plain.hyper is not None
    assert tinted.hyper is not None
    assert (plain.hyper.recolour, tinted.hyper.recolour) == (True, False)
    assert tinted.hyper.colour_weight > 0


@pytest.mark.parametrize(
    "wrong", [{"balance": 1.5}, {"heldout": 0.9}, {"early_stop": 1}, {"width": "xl"}]
)
def test_settings_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidInputError, match=next(iter(wrong))):
        Recipe(minutes=1, **wrong)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    ("preset", "device", "halves", "chosen"),
    [
        ("residual", "cpu", True, "bfloat16"),
        ("residual", "cpu", False, "float32"),
        ("dcgan", "cpu", True, "float32"),
        ("dcgan", "gpu", True, "bfloat16"),
        ("residual", "gpu", False, "float32"),
    ],
)
def test_auto_computes_in_bfloat16_where_that_was_measured_to_pay(
    *, preset: Preset, device: str, halves: bool, chosen: str
) -> None:
    situation = Situation(32, 3, 5000, 1, device, halves=halves)
    settled, choices = resolve(Recipe(minutes=1, preset=preset), situation)
    assert settled.precision == chosen
    assert [c for c in choices if c.startswith(f"Precision {chosen}:")]
    told, choices = resolve(Recipe(minutes=1, preset=preset, precision="float32"), situation)
    assert told.precision == "float32"
    assert "Precision float32: asked for." in choices


def test_given_settings_leave_the_precision_to_the_device(tiny: Hyperparameters) -> None:
    situation = Situation(16, 3, 50, 1, "cpu", halves=True)
    assert resolve(Recipe(minutes=1, hyper=tiny), situation)[0].precision == "bfloat16"


def test_wider_networks_learn_at_a_lower_rate() -> None:
    rates = []
    for width in ("s", "m", "l"):
        asked = Recipe(minutes=1, width=width)
        settled, _ = resolve(asked, Situation(28, 1, 60_000, 1, "cpu"))
        assert settled.hyper is not None
        rates.append(settled.hyper.learning_rate)
    assert rates[0] > rates[1] > rates[2]

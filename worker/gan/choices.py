"""What `auto` chooses for a training, and why: every choice is a sentence on the card."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from worker.gan.recipe import Hyperparameters, Precision, Preset, Recipe, Width, resolutions

LARGE: Final = 64
"""From this side in px on, a step is so slow that updates, not images, are what a run lacks."""

SMALL_CATALOG: Final = 10_000
"""Below this many garments a short run sees each one often enough to learn it by heart."""

TINY_CATALOG: Final = 500

MATCH: Final = 0.2
"""Weight of the mismatch term. On 40,000 images of Fashion-MNIST it raised the share classified as
asked from 88% to 95%, lowered the Frechet distance from 8.4 to 5.0 and left recall at 0.66 (0.67);
0.5 gave 97%, 5.0 and 0.61. One seed each (docs/measurements.md)."""

LONG_MINUTES: Final = 45.0
"""From so many CPU minutes on, wider networks catch up with narrow ones (measured at 28 px)."""

FOLD: Final = {"s": 1, "m": 2, "l": 3}
"""Times the narrowest width that each width has."""


@dataclass(frozen=True)
class Situation:
    """What the choices are made from.

    Attributes:
        size: side of the square that the networks work on, px.
        channels: 1 or 3.
        garments: how many the catalog holds.
        imbalance: the commonest value of the first attribute over the rarest (1 = even).
        device: "cpu" or "gpu".
        colours: whether colours are a condition.
        halves: whether the device multiplies bfloat16 itself.
    """

    size: int
    channels: int
    garments: int
    imbalance: float
    device: str
    colours: bool = False
    halves: bool = False


def resolve(recipe: Recipe, situation: Situation) -> tuple[Recipe, list[str]]:
    """Fill in what the recipe leaves open.

    Returns:
        The recipe with `preset`, `width`, `precision` and `hyper` set, and one sentence a choice
        with its reason.
    """
    preset: Preset = "residual" if recipe.preset == "auto" else recipe.preset
    open_preset = recipe.preset == "auto"
    precision, precision_why = _precision(recipe.precision, preset, situation)
    recipe = replace(recipe, preset=preset, precision=precision)
    if recipe.hyper is not None:
        return recipe, ["The settings were given; no others were chosen.", precision_why]
    width, width_why = _width(recipe, situation)
    hyper, words = PRESETS[preset](situation, width)
    balance, balance_why = _balance(recipe.balance, situation.imbalance)
    hyper = replace(hyper, balance=balance)
    why = "the best measured for each minute." if open_preset else "asked for."
    choices = [
        (
            f"Network: {preset}, {situation.size}x{situation.size} px with "
            f"{situation.channels} channel(s): {why}"
        ),
        width_why,
        *words,
        balance_why,
        precision_why,
        _length_why(recipe),
    ]
    return replace(recipe, width=width, hyper=hyper), choices


def _residual(situation: Situation, width: str) -> tuple[Hyperparameters, list[str]]:
    generator, discriminator, widths_why = _widths(situation, FOLD[width])
    batch, batch_why = _batch(situation)
    rate, rate_why = _rate(situation, FOLD[width])
    hyper = Hyperparameters(
        generator_widths=generator,
        discriminator_widths=discriminator,
        batch=batch,
        learning_rate=rate,
        match=MATCH,
        colour_weight=0.05 if situation.colours else 0.0,
    )
    hyper, small_why = _for_small_catalogs(hyper, situation)
    return hyper, [
        widths_why,
        f"Batch {batch}: {batch_why}",
        (
            f"Learning rate {rate:g}, rising over {hyper.warm_steps} steps, held for half the "
            f"budget and then falling to a tenth: {rate_why}"
        ),
        f"Penalty weight {hyper.gamma:g} on every step: it keeps variety that no penalty loses.",
        (
            f"Mismatch weight {hyper.match:g}: garments that look like what was asked for, at a "
            "little variety's cost."
        ),
        *small_why,
    ]


def _dcgan(situation: Situation, width: str) -> tuple[Hyperparameters, list[str]]:
    stages = len(resolutions(situation.size))
    times = FOLD[width]
    hyper = Hyperparameters(
        generator_widths=tuple(times * max(256 >> step, 32) for step in range(stages)),
        discriminator_widths=tuple(times * min(64 << step, 256) for step in range(stages - 1)),
        latent=100, loss="saturating-free", batch=256 if situation.size < LARGE else 64,
        learning_rate=1e-4, beta_1=0.9, warm_steps=0, hold=1.0, gamma=0.0, ema_share=0.0,
    )  # fmt: skip
    return hyper, ["Settings of TensorFlow's tutorial, for comparison; labels are its only change."]


def _mlp(situation: Situation, width: str) -> tuple[Hyperparameters, list[str]]:
    times = FOLD[width]
    hyper = Hyperparameters(
        generator_widths=tuple(times * w for w in (256, 512, 1024)),
        discriminator_widths=(512 * times, 256 * times),
        latent=100, loss="saturating-free", batch=128, learning_rate=2e-4, beta_1=0.5,
        warm_steps=0, hold=1.0, gamma=0.0, ema_share=0.0,
    )  # fmt: skip
    del situation
    return hyper, ["The classic dense GAN's settings, for comparison."]


def _vae(situation: Situation, width: str) -> tuple[Hyperparameters, list[str]]:
    generator, _, _ = _widths(situation, 2 * FOLD[width])
    hyper = Hyperparameters(
        generator_widths=generator, discriminator_widths=tuple(reversed(generator)),
        latent=32, features=256, loss="likelihood", batch=64,
        learning_rate=1e-3, beta_1=0.9, gamma=0.0, ema_share=0.05,
    )  # fmt: skip
    return hyper, ["An autoencoder for comparison: it cannot collapse, and it blurs."]


PRESETS: Final[dict[str, Callable[[Situation, str], tuple[Hyperparameters, list[str]]]]] = {
    "residual": _residual,
    "dcgan": _dcgan,
    "mlp": _mlp,
    "vae": _vae,
}


def _precision(asked: Precision, preset: Preset, situation: Situation) -> tuple[Precision, str]:
    if asked != "auto":
        return asked, f"Precision {asked}: asked for."
    if not situation.halves:
        return "float32", "Precision float32: this device is no faster in bfloat16."
    if situation.device == "cpu" and preset != "residual":
        return "float32", "Precision float32: bfloat16 on a CPU was measured for `residual` alone."
    return "bfloat16", (
        "Precision bfloat16: the device multiplies it natively; weights and penalties stay float32."
    )


def _width(recipe: Recipe, situation: Situation) -> tuple[Width, str]:
    if recipe.width != "auto":
        return recipe.width, f"Width {recipe.width}: asked for."
    if situation.device == "gpu":
        return "l", "Width l: a GPU is idle with less (not measured)."
    if situation.size < LARGE and (recipe.minutes or 0.0) >= LONG_MINUTES:
        return "m", f"Width m: from {LONG_MINUTES:g} minutes on, wider networks catch up."
    return "s", "Width s: small networks learn faster in a short run."


def _widths(situation: Situation, times: int) -> tuple[tuple[int, ...], tuple[int, ...], str]:
    """Narrow where the picture is large: a full-resolution channel costs most and tells least."""
    size = situation.size
    # At 128 px and up, 16 channels at full size would double the time of a step.
    full = 16 if size < 128 else 8  # noqa: PLR2004 - see above
    stages = len(resolutions(size))
    # The discriminator with its second derivatives costs most: at 64 px, starting it with 16
    # channels and not 32 makes the whole step 1.7 times as fast.
    first = 2 * full if size < LARGE else full
    upward = tuple(min(64, full << step) * times for step in range(stages))
    downward = tuple(min(64, first << step) * times for step in range(stages - 1))
    why = (
        f"Channels {', '.join(map(str, reversed(upward)))} upward and "
        f"{', '.join(map(str, downward))} downward."
    )
    return tuple(reversed(upward)), downward, why


def _batch(situation: Situation) -> tuple[int, str]:
    if situation.device == "gpu":
        return 64, "a GPU is idle with less (not measured)."
    if situation.size >= LARGE:
        return 16, "twice the updates of 32, and no fewer images a second at this size."
    return 32, "more updates than 64; 16 would show a fifth fewer images a second."


def _rate(situation: Situation, times: int) -> tuple[float, str]:
    if situation.size >= LARGE:
        return 1e-3 / times, "at twice that a run at this size broke down after 5,000 images."
    if times > 1:
        # Seen twice at width m and 2e-3: the metric at 27 after 21,000 images, where half of the
        # rate gave 6, and from 7 to 30 between 47,000 and 79,000 images.
        return 2e-3 / times, "at the rate of the narrow networks wider ones broke down."
    return 2e-3, "in short runs the number and size of updates rule."


def _for_small_catalogs(
    hyper: Hyperparameters, situation: Situation
) -> tuple[Hyperparameters, list[str]]:
    garments = situation.garments
    if garments >= SMALL_CATALOG:
        words = f"No augmentation: {garments} garments are enough for one run."
        return hyper, [words, "Conditions count from the start."]
    tiny = garments < TINY_CATALOG
    changed = replace(
        hyper,
        flip=True,
        shift=0.125,
        cutout=0.3,
        recolour=tiny and situation.channels == 3 and not situation.colours,  # noqa: PLR2004 - RGB
        augment=0.6 if tiny else 0.3,
        augment_target=0.3,
        ramp=0.2,
    )
    return changed, [
        (
            f"Mirroring, and shifts and cut-outs from a chance of {changed.augment:g} on, "
            f"adapted by held-out garments: with {garments} garments the discriminator would "
            "learn each one by heart."
        ),
        (
            "Conditions come in over the first fifth of the budget: from the start they can make "
            "a small catalog collapse."
        ),
    ]


def _balance(asked: float | None, imbalance: float) -> tuple[float, str]:
    if asked is not None:
        return asked, f"Rare values are drawn more often by {asked:g}: asked for."
    if imbalance <= 2:  # noqa: PLR2004 - twice as common is still shown often enough
        return 0.0, "Garments are drawn as they come: the first attribute's values are even."
    return (
        0.5,
        (
            f"Rare values are drawn more often: the commonest is {imbalance:.0f} times the rarest. "
            "Halfway (square root), so that a few garments are not shown over and over."
        ),
    )


def _length_why(recipe: Recipe) -> str:
    asked = f"{recipe.images} images" if recipe.minutes is None else f"{recipe.minutes:g} minutes"
    return f"Length: {asked}, as asked for; every schedule fits itself to that."

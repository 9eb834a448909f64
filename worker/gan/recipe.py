"""What a training is asked for, and the settings that `auto` chooses for it, with reasons."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Self, get_args

from shared.errors import InvalidInputError

Preset = Literal["auto", "residual"]

SMALLEST_BASE = 8
"""Halving stops at this size: 28 px starts from 7, 32 and 64 px from 8."""

LARGE = 64
"""From this side in px on, a step is so slow that updates, not images, are what a run lacks."""

SMALL_CATALOG = 10_000
"""Below this many garments a short run sees each one often enough to learn it by heart."""


@dataclass(frozen=True)
class Hyperparameters:
    """Every number that shapes the networks and their training.

    Attributes:
        generator_widths: channels from the lowest resolution to the full one.
        discriminator_widths: channels from half the resolution (the patch stem) to the lowest.
        blocks: residual blocks at each resolution.
        latent: numbers in a latent.
        embedding: numbers in each attribute's embedding, in the generator.
        features: numbers that the discriminator sees an image as.
        batch: garments in a step.
        learning_rate: Adam's rate, held for `hold` of the budget, then falling in a straight
            line to `final_rate` of itself.
        warm_steps: steps over which the rate first rises from nothing, while Adam's second
            moments are still those of a few batches.
        gamma: weight of the penalties on the discriminator's slope (R1 on real, R2 on generated).
        ema_share: half-life of the averaged generator, as a share of the images seen so far.
        ema_images: the longest that half-life gets, in images.
        null_chance: chance that the first attribute's label is hidden from both networks in a
            step, so that designs can be asked for without it.
        null_chance_others: the same for each other attribute; higher, because the first is what
            people nearly always ask for, and the rest they often leave open. Half of these
            chances left designs of open colour with little variety, and gained no accuracy.
        flip: whether garments are mirrored at random.
        shift: the furthest that both networks' images are moved before the discriminator sees
            them, as a share of the side.
        balance: how far sampling evens out the values of the first attribute: 0 takes garments as
            they come, 1 shows every value equally often.
    """

    generator_widths: tuple[int, ...]
    discriminator_widths: tuple[int, ...]
    blocks: int = 1
    latent: int = 64
    embedding: int = 32
    features: int = 128
    batch: int = 32
    learning_rate: float = 2e-3
    warm_steps: int = 200
    hold: float = 0.5
    final_rate: float = 0.1
    gamma: float = 1.0
    ema_share: float = 0.05
    ema_images: float = 10_000.0
    null_chance: float = 0.1
    null_chance_others: float = 0.25
    flip: bool = False
    shift: float = 0.0
    balance: float = 0.0

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what `asdict` and JSON made: lists become tuples again."""
        read: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
        }
        return cls(**read)


@dataclass(frozen=True)
class Recipe:
    """One training, as asked for. Exactly one of `minutes` and `images` is given.

    Attributes:
        preset: the family of networks; `auto` is `residual` today.
        minutes: trained time, over all resumes.
        images: catalog images shown, repeats counted.
        seed: every random draw follows from it.
        preview_seconds: time between sample grids.
        checkpoint_seconds: time between checkpoints.
        hyper: None lets `resolve` choose.
    """

    preset: Preset = "auto"
    minutes: float | None = None
    images: int | None = None
    seed: int = 0
    preview_seconds: float = 10.0
    checkpoint_seconds: float = 60.0
    hyper: Hyperparameters | None = None

    def __post_init__(self) -> None:
        if self.preset not in get_args(Preset):
            raise InvalidInputError(
                f"There is no preset {self.preset!r}. Choose one of: {', '.join(get_args(Preset))}."
            )
        budget = [b for b in (self.minutes, self.images) if b is not None]
        if len(budget) != 1 or budget[0] <= 0:
            raise InvalidInputError(
                "A training needs exactly one budget above zero, in minutes or in images; "
                f"got minutes={self.minutes}, images={self.images}."
            )
        if not 0 <= self.seed < 2**31:
            raise InvalidInputError(f"A seed is a number from 0 to 2147483647; got {self.seed}.")

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what `as_dict` and JSON made."""
        hyper = values.get("hyper")
        known = {**values, "hyper": Hyperparameters.from_dict(hyper) if hyper else None}
        return cls(**known)


def resolutions(size: int) -> tuple[int, ...]:
    """Return the sides in px that the networks pass through, lowest first: 28 -> (7, 14, 28)."""
    sides = [size]
    while sides[-1] > SMALLEST_BASE:
        sides.append(-(-sides[-1] // 2))
    return tuple(reversed(sides))


def resolve(
    recipe: Recipe, *, size: int, channels: int, garments: int, imbalance: float, device: str
) -> tuple[Recipe, list[str]]:
    """Fill in what the recipe leaves open.

    Args:
        recipe: what was asked for.
        size: side of the images in px.
        channels: 1 or 3.
        garments: how many the catalog holds.
        imbalance: the commonest value of the first attribute over the rarest (1 = even).
        device: "cpu" or "gpu".

    Returns:
        The recipe with `preset` and `hyper` set, and one sentence a choice with its reason.
    """
    if recipe.hyper is not None:
        return replace(recipe, preset="residual"), ["The settings were given; nothing was chosen."]
    generator, discriminator, widths_why = _widths(size, device)
    flip, shift, augment_why = _augmentation(garments)
    balance, balance_why = _balance(imbalance)
    batch, batch_why = _batch(size, device)
    rate, rate_why = _rate(size)
    hyper = Hyperparameters(
        generator_widths=generator,
        discriminator_widths=discriminator,
        batch=batch,
        learning_rate=rate,
        flip=flip,
        shift=shift,
        balance=balance,
    )
    choices = [
        f"Network: residual, {size}x{size} px with {channels} channel(s); " + widths_why,
        f"Batch {hyper.batch}: {batch_why}",
        (
            f"Learning rate {rate:g}, rising over {hyper.warm_steps} steps, held for half the "
            f"budget and then falling to a tenth: {rate_why}"
        ),
        f"Penalty weight {hyper.gamma:g} on every step: it keeps variety that no penalty loses.",
        augment_why,
        balance_why,
    ]
    return replace(recipe, preset="residual", hyper=hyper), choices


def _widths(size: int, device: str) -> tuple[tuple[int, ...], tuple[int, ...], str]:
    """Narrow where the picture is large: a full-resolution channel costs most and tells least."""
    # At 128 px and up, 16 channels at full size would double the time of a step.
    full = 16 if size < 128 else 8  # noqa: PLR2004 - see above
    times = 2 if device == "gpu" else 1
    stages = len(resolutions(size))
    # The discriminator with its second derivatives costs most: at 64 px, starting it with 16
    # channels and not 32 makes the whole step 1.7 times as fast.
    first = 2 * full if size < LARGE else full
    upward = tuple(min(64, full << step) * times for step in range(stages))
    downward = tuple(min(64, first << step) * times for step in range(stages - 1))
    why = (
        f"channels {', '.join(map(str, reversed(upward)))} upward and "
        f"{', '.join(map(str, downward))} downward: small networks learn faster in a short run"
        + (" (twice the CPU's width on a GPU; not measured)." if times > 1 else ".")
    )
    return tuple(reversed(upward)), downward, why


def _batch(size: int, device: str) -> tuple[int, str]:
    if device == "gpu":
        return 64, "a GPU is idle with less (not measured)."
    if size >= LARGE:
        return 16, "twice the updates of 32, and no fewer images a second at this size."
    return 32, "more updates than 64; 16 would show a fifth fewer images a second."


def _rate(size: int) -> tuple[float, str]:
    if size >= LARGE:
        return 1e-3, "at twice that a run at this size broke down after 5,000 images."
    return 2e-3, "in short runs the number and size of updates rule."


def _augmentation(garments: int) -> tuple[bool, float, str]:
    if garments >= SMALL_CATALOG:
        return False, 0.0, f"No augmentation: {garments} garments are enough for one run."
    return (
        True,
        0.08,
        (
            f"Mirroring, and shifts of up to 8% of the side: with {garments} garments the "
            "discriminator would learn each one by heart."
        ),
    )


def _balance(imbalance: float) -> tuple[float, str]:
    if imbalance <= 2:  # noqa: PLR2004 - twice as common is still shown often enough
        return 0.0, "Garments are drawn as they come: the first attribute's values are even."
    return (
        0.5,
        (
            f"Rare values are drawn more often: the commonest is {imbalance:.0f} times the rarest. "
            "Halfway (square root), so that a few garments are not shown over and over."
        ),
    )

"""What a training is asked for, and every number that shapes it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, Self, get_args

from shared.errors import InvalidInputError

Preset = Literal["auto", "residual", "dcgan", "mlp", "vae"]

Width = Literal["auto", "s", "m", "l"]

Precision = Literal["auto", "float32", "bfloat16"]

POLICIES: Final = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
"""Keras' dtype policy of each precision. Weights are kept in float32 in both."""

SMALLEST_BASE = 8
"""Halving stops at this size: 28 px starts from 7, 32 and 64 px from 8."""

LONGEST_WINDOW = 1_000
"""Metric readings; a longer window than this would never close."""


@dataclass(frozen=True)
class Hyperparameters:
    """Every number that shapes the networks and their training.

    Attributes:
        generator_widths: channels (or units) from the first stage to the last.
        discriminator_widths: the same for the discriminator, or the encoder of `vae`.
        blocks: residual blocks at each resolution.
        latent: numbers in a latent.
        embedding: numbers in each condition's embedding, in the generator.
        features: numbers that the discriminator sees an image as.
        loss: "relativistic" pairs real with generated garments of the same condition;
            "saturating-free" is the usual binary cross-entropy of each alone; "likelihood" is an
            autoencoder's bound.
        batch: garments in a step.
        learning_rate: Adam's rate, held for `hold` of the budget, then falling in a straight
            line to `final_rate` of itself.
        beta_1: Adam's memory of the gradient.
        warm_steps: steps over which the rate first rises from nothing, while Adam's second
            moments are still those of a few batches.
        gamma: weight of the penalties on the discriminator's slope (R1 on real, R2 on generated).
        final_gamma: what is left of gamma at the end of the budget, as a share; it falls by the
            same factor in each equal part of it, so that details count late.
        penalty_every: steps between penalties; each then weighs so many times as much.
        match: weight of the mismatch term: how far the discriminator must tell a real garment
            with its own labels from the same garment with another's.
        colour_weight: weight of the colour-consistency loss, per CIELAB unit.
        ema_share: half-life of the averaged generator, as a share of the images seen so far; 0
            takes the generator itself.
        ema_images: the longest that half-life gets, in images.
        null_chance: chance that the first attribute's label is hidden from both networks in a
            step, so that designs can be asked for without it.
        null_chance_others: the same for each other attribute and for the colours; higher, because
            the first is what people nearly always ask for, and the rest they often leave open.
            Half of these chances left designs of open colour with little variety, and gained no
            accuracy.
        ramp: share of the budget over which conditions come to count in full; on a small catalog
            conditions from the start cause collapse (Shahbazi et al. 2022, arXiv 2201.06578).
        flip: whether garments are mirrored at random.
        shift: the furthest that both networks' images are moved before the discriminator sees
            them, as a share of the side.
        cutout: side of the square that is blanked before the discriminator sees them, as a share
            of the side.
        recolour: whether brightness, saturation and contrast are changed; never with colours as a
            condition.
        augment: chance with which each image is so changed at first.
        augment_target: how far the discriminator may favour garments that it has seen over
            held-out ones, as a share of what it favours them over generated ones; the chance
            follows it. 0 keeps the chance as it is.
        balance: how far sampling evens out the values of the first attribute: 0 takes garments as
            they come, 1 shows every value equally often.
    """

    generator_widths: tuple[int, ...]
    discriminator_widths: tuple[int, ...]
    blocks: int = 1
    latent: int = 64
    embedding: int = 32
    features: int = 128
    loss: str = "relativistic"
    batch: int = 32
    learning_rate: float = 2e-3
    beta_1: float = 0.0
    warm_steps: int = 200
    hold: float = 0.5
    final_rate: float = 0.1
    gamma: float = 1.0
    final_gamma: float = 1.0
    penalty_every: int = 1
    match: float = 0.0
    colour_weight: float = 0.0
    ema_share: float = 0.05
    ema_images: float = 10_000.0
    null_chance: float = 0.1
    null_chance_others: float = 0.25
    ramp: float = 0.0
    flip: bool = False
    shift: float = 0.0
    cutout: float = 0.0
    recolour: bool = False
    augment: float = 1.0
    augment_target: float = 0.0
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
        preset: the family of networks; `auto` chooses by the catalog and the budget.
        width: how wide the networks are; `auto` chooses by size, device and budget.
        minutes: trained time, over all resumes.
        images: catalog images shown, repeats counted.
        seed: every random draw follows from it.
        precision: what the networks compute in; `auto` chooses by the device. Weights, and the
            penalties on the slope, are float32 whatever it is.
        balance: how far rare values of the first attribute are drawn more often, 0..1; None lets
            `auto` choose.
        heldout: share of the garments kept from training, to measure and to watch with.
        early_stop: end when the metric has not moved over so many readings; None never does.
        preview_seconds: time between sample grids.
        checkpoint_seconds: time between checkpoints.
        measure_seconds: time between readings of the metric.
        hyper: None lets `auto` choose.
    """

    preset: Preset = "auto"
    width: Width = "auto"
    precision: Precision = "auto"
    minutes: float | None = None
    images: int | None = None
    seed: int = 0
    balance: float | None = None
    heldout: float = 0.1
    early_stop: int | None = None
    preview_seconds: float = 10.0
    checkpoint_seconds: float = 60.0
    measure_seconds: float = 30.0
    hyper: Hyperparameters | None = None

    def __post_init__(self) -> None:
        _check_choice("preset", self.preset, get_args(Preset))
        _check_choice("width", self.width, get_args(Width))
        _check_choice("precision", self.precision, get_args(Precision))
        budget = [b for b in (self.minutes, self.images) if b is not None]
        if len(budget) != 1 or budget[0] <= 0:
            raise InvalidInputError(
                "A training needs exactly one budget above zero, in minutes or in images; "
                f"got minutes={self.minutes}, images={self.images}."
            )
        if not 0 <= self.seed < 2**31:
            raise InvalidInputError(f"A seed is a number from 0 to 2147483647; got {self.seed}.")
        _check_range("balance", self.balance, 0.0, 1.0)
        _check_range("heldout", self.heldout, 0.0, 0.5)
        _check_range("early_stop", self.early_stop, 2, LONGEST_WINDOW)

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what `as_dict` and JSON made."""
        hyper = values.get("hyper")
        known = {**values, "hyper": Hyperparameters.from_dict(hyper) if hyper else None}
        return cls(**known)


def _check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InvalidInputError(
            f"There is no {name} {value!r}. Choose one of: {', '.join(allowed)}."
        )


def _check_range(name: str, value: float | None, low: float, high: float) -> None:
    if value is not None and not low <= value <= high:
        raise InvalidInputError(f"`{name}` is a number from {low:g} to {high:g}; got {value}.")


def resolutions(size: int) -> tuple[int, ...]:
    """Return the sides in px that the networks pass through, lowest first: 28 -> (7, 14, 28)."""
    sides = [size]
    while sides[-1] > SMALLEST_BASE:
        sides.append(-(-sides[-1] // 2))
    return tuple(reversed(sides))

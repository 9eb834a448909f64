"""The clock of a training, and what changes with it: rate, averaging, conditioning."""

from collections.abc import Callable
from dataclasses import dataclass, field

from worker.gan.recipe import Hyperparameters, Recipe

SECONDS = 60.0


@dataclass
class Budget:
    """How much of what was asked for is used up, over all resumes.

    Attributes:
        recipe: says how much there is.
        clock: seconds that only grow.
        before: seconds trained before this start.
    """

    recipe: Recipe
    clock: Callable[[], float]
    before: float = 0.0
    started: float = field(init=False)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Begin to count now: what was done so far was getting ready."""
        self.started = self.clock()

    def elapsed(self) -> float:
        """Seconds trained, over all resumes."""
        return self.before + self.clock() - self.started

    def fraction(self, images_seen: int) -> float:
        """Share of the budget that is used up, 0..1."""
        if self.recipe.images is not None:
            return min(1.0, images_seen / self.recipe.images)
        return min(1.0, self.elapsed() / (SECONDS * (self.recipe.minutes or 0.0)))


def learning_rate(hyper: Hyperparameters, fraction: float, *, step: int) -> float:
    """Rises over the first steps, is held until `hold` of the budget, and falls to `final_rate`."""
    rise = min(1.0, (step + 1) / max(hyper.warm_steps, 1))
    fall = max(0.0, fraction - hyper.hold) / max(1.0 - hyper.hold, 1e-9)
    return hyper.learning_rate * rise * (1.0 - (1.0 - hyper.final_rate) * fall)


def kept_share(hyper: Hyperparameters, images_seen: int) -> float:
    """Share of the averaged generator that a step keeps, so that its half-life fits the run."""
    half_life = min(hyper.ema_images, hyper.ema_share * images_seen)
    return float(0.5 ** (hyper.batch / half_life)) if half_life else 0.0


def penalty_share(hyper: Hyperparameters, fraction: float) -> float:
    """Share of gamma that counts: from 1 to `final_gamma`, by the same factor in equal parts.

    A strong penalty keeps variety while shapes are learned, and blurs: the discriminator may not
    look at fine detail until it weakens (R3GAN, arXiv 2501.05441, lets it fall to a tenth).
    """
    return float(hyper.final_gamma**fraction)


def conditioning(hyper: Hyperparameters, fraction: float) -> float:
    """How much of the conditions counts, 0..1: none at first where they are ramped in.

    The first half of the ramp is flat at zero, so that the networks learn what all garments share
    before they are told them apart (Shahbazi et al. 2022, arXiv 2201.06578).
    """
    if hyper.ramp <= 0:
        return 1.0
    return min(1.0, max(0.0, 2.0 * fraction / hyper.ramp - 1.0))

"""What is broken on purpose, to see whether a training mends itself."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tests.bench.engine import hyper_of
from worker.gan.data import Dataset
from worker.gan.recipe import Recipe
from worker.gan.trainers import Trainer, build_trainer

FEW = 30
"""Garments left by the fault that takes the catalog away."""

RATE_TIMES = 50.0

Build = Callable[..., Any]

Strike = Callable[[Trainer, int], None]
"""Does its harm to a trainer after the step of this number."""


@dataclass(frozen=True)
class Fault:
    """One way to break a training.

    Attributes:
        name: short, for files and tables.
        words: what is done.
        recipe: changes what is asked, given the catalog.
        dataset: changes what is learned from.
        build: returns what builds the trainers, given the number of the training's steps.
    """

    name: str
    words: str
    recipe: Callable[[Recipe, Dataset], Recipe] = lambda asked, _: asked
    dataset: Callable[[Dataset], Dataset] = lambda whole: whole
    build: Callable[[int], Build] = lambda _: build_trainer


def few(dataset: Dataset, count: int = FEW) -> Dataset:
    """Return so many garments, drawn without a choice."""
    return dataset.take(np.sort(np.random.default_rng(0).permutation(dataset.n)[:count]))


def with_settings(asked: Recipe, dataset: Dataset, **changes: Any) -> Recipe:
    """Return the recipe with the settings that it would get by itself, some of them changed."""
    return replace(asked, hyper=replace(hyper_of(asked, dataset), **changes))


class Struck:
    """A trainer that is struck after each of its steps."""

    def __init__(self, whole: Trainer, strike: Strike) -> None:
        self._whole, self._strike = whole, strike

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole, name)

    def step(self, number: int, *arguments: Any, **options: Any) -> Any:
        """Train on one batch, then suffer."""
        told = self._whole.step(number, *arguments, **options)
        self._strike(self._whole, number)
        return told


def once(strike: Strike) -> Build:
    """Return a builder whose first trainer is struck.

    Going back builds another one, and that one is whole: the fault was of the moment.
    """
    built: list[Trainer] = []

    def build(*arguments: Any, **options: Any) -> Any:
        built.append(build_trainer(*arguments, **options))
        return Struck(built[0], strike) if len(built) == 1 else built[-1]

    return build


def not_numbers(steps: int) -> Build:
    """A third into the run, leave what one NaN gradient leaves: Adam makes all weights NaN."""

    def strike(trainer: Trainer, number: int) -> None:
        if number == steps // 3:
            for variable in trainer.generator.trainable_variables:
                variable.assign(np.full(variable.shape, np.nan, np.float32))

    return once(strike)


def frozen(steps: int) -> Build:
    """From a third of the run on, put the discriminator back to what it was, after each step."""
    kept: list[Any] = []

    def strike(trainer: Trainer, number: int) -> None:
        if number == steps // 3:
            kept.extend(trainer.critic.get_weights())
        elif number > steps // 3:
            trainer.critic.set_weights(kept)

    return once(strike)


def too_fast(asked: Recipe, dataset: Dataset) -> Recipe:
    """Ask for the rate times 50."""
    rate = hyper_of(asked, dataset).learning_rate
    return with_settings(asked, dataset, learning_rate=RATE_TIMES * rate)


def unpenalised(asked: Recipe, dataset: Dataset) -> Recipe:
    """Ask for a penalty of weight 0."""
    return with_settings(asked, dataset, gamma=0.0)


FAULTS = (
    Fault("rate", "the learning rate times 50", recipe=too_fast),
    Fault("no-penalty", "no penalty on the discriminator's slope", recipe=unpenalised),
    Fault("not-numbers", "one gradient that is no number, a third into the run", build=not_numbers),
    Fault("frozen", "a discriminator that learns no more from a third on", build=frozen),
    Fault("few", f"{FEW} garments and no more", dataset=few),
)

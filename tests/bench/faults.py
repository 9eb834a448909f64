"""What is broken on purpose, to see whether a training mends itself."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from worker.gan.trainer import Trainer

import worker.gan.train as training
from shared.schemas.models import MINIMUM_GARMENTS
from tests.bench.engine import settled
from worker.gan.data import Dataset
from worker.gan.recipe import Recipe

FEW = MINIMUM_GARMENTS
"""Garments left by the fault that takes the catalog away; with fewer the engine refuses."""

RATE_TIMES = 50.0

Strike = Callable[[Trainer], None]


@dataclass(frozen=True)
class Fault:
    """One way to break a training.

    Attributes:
        name: short, for files and tables.
        words: what is done.
        recipe: changes what is asked, given the catalog.
        dataset: changes what is learned from.
        during: stands around the training, given the number of its steps.
    """

    name: str
    words: str
    recipe: Callable[[Recipe, Dataset], Recipe] = lambda asked, _: asked
    dataset: Callable[[Dataset], Dataset] = lambda whole: whole
    during: Callable[[int], AbstractContextManager[None]] = lambda _: nullcontext()


def few(dataset: Dataset, count: int = FEW) -> Dataset:
    """Return so many garments, drawn without a choice."""
    rows = np.sort(np.random.default_rng(0).permutation(dataset.n)[:count])
    return Dataset(
        dataset.images[rows],
        {name: column[rows] for name, column in dataset.labels.items()},
        dataset.vocabulary,
        f"{dataset.fingerprint}-few",
    )


def with_settings(asked: Recipe, dataset: Dataset, **changes: Any) -> Recipe:
    """Return the recipe with the settings that it would get by itself, some of them changed."""
    return replace(asked, hyper=replace(settled(asked, dataset), **changes))


@contextmanager
def struck(first: type[Trainer]) -> Iterator[None]:
    """Let the engine build this trainer in place of its own, until it goes back."""
    name = "Trainer"
    whole = getattr(training, name)
    setattr(training, name, first)
    try:
        yield
    finally:
        setattr(training, name, whole)


def broken(strike: Callable[[Trainer, int], None]) -> type[Trainer]:
    """Return a trainer that is struck after each step, if it is the first that is built.

    Going back builds another one, and that one is whole: the fault was of the moment.
    """
    built: list[Trainer] = []

    class Broken(Trainer):
        def step(self, number: int, **options: Any) -> Any:
            if not built:
                built.append(self)
            loss = super().step(number, **options)
            if built[0] is self:
                strike(self, number)
            return loss

    return Broken


def not_numbers(steps: int) -> AbstractContextManager[None]:
    """A third into the run, leave what one NaN gradient leaves: Adam makes all weights NaN."""

    def strike(trainer: Trainer, number: int) -> None:
        if number == steps // 3:
            for variable in trainer.generator.trainable_variables:
                variable.assign(np.full(variable.shape, np.nan, np.float32))

    return struck(broken(strike))


def frozen(steps: int) -> AbstractContextManager[None]:
    """From a third of the run on, put the discriminator back to what it was, after each step."""
    kept: list[Any] = []

    def strike(trainer: Trainer, number: int) -> None:
        if number == steps // 3:
            kept.extend(trainer.discriminator.get_weights())
        elif number > steps // 3:
            trainer.discriminator.set_weights(kept)

    return struck(broken(strike))


def too_fast(asked: Recipe, dataset: Dataset) -> Recipe:
    """Ask for the rate times 50."""
    rate = settled(asked, dataset).learning_rate
    return with_settings(asked, dataset, learning_rate=RATE_TIMES * rate)


def unpenalised(asked: Recipe, dataset: Dataset) -> Recipe:
    """Ask for a penalty of weight 0."""
    return with_settings(asked, dataset, gamma=0.0)


FAULTS = (
    Fault("rate", "the learning rate times 50", recipe=too_fast),
    Fault("no-penalty", "no penalty on the discriminator's slope", recipe=unpenalised),
    Fault(
        "not-numbers", "one gradient that is no number, a third into the run", during=not_numbers
    ),
    Fault("frozen", "a discriminator that learns no more from a third on", during=frozen),
    Fault("few", f"{FEW} garments and no more", dataset=few),
)

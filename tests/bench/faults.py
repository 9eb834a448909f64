"""What is broken on purpose, to see whether a training mends itself."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import worker.gan.train as training
from shared.schemas.models import MINIMUM_GARMENTS
from tests.bench.engine import settled
from worker.gan.data import Dataset
from worker.gan.recipe import Recipe
from worker.gan.trainer import Trainer

FEW = MINIMUM_GARMENTS
"""Garments left by the fault that takes the catalog away: with fewer the engine refuses to start."""

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
    """Return the recipe with the settings that it would get by itself, some of them changed.

    A change is a value, or a function of the value that was there.
    """
    hyper = settled(asked, dataset)
    made = {name: new(getattr(hyper, name)) if callable(new) else new for name, new in changes.items()}
    return replace(asked, hyper=replace(hyper, **made))


@contextmanager
def struck(first: type[Trainer]) -> Iterator[None]:
    """Let the engine build this trainer in place of its own, until it goes back."""
    whole = training.Trainer
    name = "Trainer"
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


FAULTS = (
    Fault(
        "rate",
        "the learning rate times 50",
        recipe=lambda asked, whole: with_settings(
            asked, whole, learning_rate=lambda rate: RATE_TIMES * rate
        ),
    ),
    Fault(
        "no-penalty",
        "no penalty on the discriminator's slope",
        recipe=lambda asked, whole: with_settings(asked, whole, gamma=0.0),
    ),
    Fault("not-numbers", "gradients that are no numbers, once, a third into the run",
          during=not_numbers),  # fmt: skip
    Fault("frozen", "a discriminator that learns no more, from a third of the run on",
          during=frozen),  # fmt: skip
    Fault("few", f"{FEW} garments and no more", dataset=few),
)

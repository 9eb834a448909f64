"""The metric while a training runs: its curve, the best state so far, and when to stop early."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from worker.gan.measure.figures import Figure
from worker.gan.measure.judge import Sampler

SAMPLED: Final = 2_000
"""Garments made for a reading during training; the figures after it take more."""


class Judge(Protocol):
    """Measures a generator against held-out garments; it never takes part in the training."""

    @property
    def key(self) -> str:
        """Name of the metric with its extractor and hash, such as `fd_indomain[A@1a2b3c4d]`."""
        ...

    def read(self, sampler: Sampler, n: int, seed: int) -> Figure:
        """Return the metric of n garments, with its interval; lower is better."""
        ...


@dataclass(frozen=True)
class Reading:
    """One look at the metric; lower is better.

    Attributes:
        images: seen until then.
        seconds: trained until then.
        value: of the metric.
        low, high: its interval.
    """

    images: int
    seconds: float
    value: float
    low: float
    high: float


@dataclass
class Readings:
    """All readings of a training, and the weights of the best one.

    Attributes:
        window: readings within which something must have moved; None never stops early.
        curve: the readings so far.
        best: the one whose weights are kept.
        weights: of the averaged generator at that reading, by place.
    """

    window: int | None
    curve: list[Reading] = field(default_factory=list)
    best: Reading | None = None
    weights: list[NDArray[Any]] = field(default_factory=list)

    def add(self, reading: Reading, weights: Sequence[NDArray[Any]]) -> None:
        """Take a reading; the newest that is as good as the lowest, within its interval, is kept.

        A single reading errs by its interval, so that the lowest is partly luck; a later state has
        learned from more.
        """
        lowest = min(self.curve, key=lambda r: r.value, default=None)
        self.curve.append(reading)
        if lowest is None or self.best is None or reading.value <= lowest.high:
            self.best = reading
            self.weights = [np.array(w) for w in weights]

    def has_settled(self) -> bool:
        """Whether the interval has not moved over the window: all overlap with the first's."""
        if self.window is None or len(self.curve) <= self.window:
            return False
        recent = self.curve[-self.window - 1 :]
        return all(reading.high >= recent[0].low for reading in recent[1:])

    def as_dicts(self) -> list[dict[str, float]]:
        """Return the curve as plain data for JSON."""
        return [asdict(reading) for reading in self.curve]

    def restart(self) -> None:
        """Forget the best state, after the networks began anew; the curve stays."""
        self.best, self.weights = None, []

    def restore(
        self,
        curve: Sequence[dict[str, Any]],
        best: int | None,
        weights: Sequence[NDArray[Any]],
    ) -> None:
        """Put back what a checkpoint kept.

        Args:
            curve: as `as_dicts` gave it.
            best: the place of the best reading in the curve; None where there is none.
            weights: of the best reading.
        """
        self.curve = [Reading(**values) for values in curve]
        self.best = None if best is None else self.curve[best]
        self.weights = list(weights)

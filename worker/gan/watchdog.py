"""Watching a training for collapse, and the ladder of what is changed when one is seen.

A GAN that collapses keeps finite losses: the discriminator tells nearly every pair apart, and the
generator, pushed into saturation, answers every latent alike. Both show long before the end.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from worker.gan.data import Dataset
from worker.gan.recipe import Hyperparameters

QUIET_IMAGES: Final = 3_000
"""Until so many images were shown, a wide margin and pale samples are how every run begins."""

LOST_LOSS: Final = 3.5
"""Generator loss above which the discriminator tells nearly all pairs apart. Runs that learned
stayed between 0.9 and 2.2; the one that broke down went past 4 and stayed there (measured)."""

LOST_REPORTS: Final = 10
"""So many reports in a row, one a second: a single bad batch is no collapse."""

POOR_SPREAD: Final = 0.2
"""Share of the catalog's own spread within a condition, under which the samples are all alike."""

POOR_SHEETS: Final = 2

EVEN_CATALOG: Final = 4.0
"""Grey levels of spread under which the catalog itself is so even that spread says nothing."""

_SAMPLED: Final = 8

Change = Callable[[Hyperparameters], Hyperparameters]


@dataclass(frozen=True)
class Remedy:
    """One rung of the ladder: what it changes, and how to say so."""

    words: str
    change: Change


def _stronger(hyper: Hyperparameters) -> Hyperparameters:
    return replace(hyper, flip=True, shift=min(hyper.shift + 0.08, 0.24))


LADDER: Final = (
    Remedy("half the learning rate", lambda h: replace(h, learning_rate=h.learning_rate / 2)),
    Remedy("twice the penalty", lambda h: replace(h, gamma=2 * h.gamma)),
    Remedy("a quarter of the rate", lambda h: replace(h, learning_rate=h.learning_rate / 4)),
    Remedy("stronger augmentation", _stronger),
    Remedy("an eighth of the rate", lambda h: replace(h, learning_rate=h.learning_rate / 8)),
)
"""Tried from the top, one a collapse; each also draws other batches and latents from then on. The
rate comes first: half of it kept the run that was seen to break down. Together the rungs take it
to a sixty-fourth, so that even a rate that was far too high is mended."""


def remedied(hyper: Hyperparameters, rungs: int) -> Hyperparameters:
    """Return settings after the first so many rungs."""
    for remedy in LADDER[:rungs]:
        hyper = remedy.change(hyper)
    return hyper


class Watchdog:
    """Says when a training has collapsed. It only looks; `train` goes back and changes things."""

    def __init__(self, dataset: Dataset) -> None:
        self._real_spread = spread(_rows_of(dataset))
        self._lost = 0
        self._poor = 0

    def see_losses(self, generator_loss: float, images_seen: int) -> None:
        """Take the mean generator loss since the last report."""
        lost = images_seen >= QUIET_IMAGES and generator_loss > LOST_LOSS
        self._lost = self._lost + 1 if lost else 0

    def see_samples(self, rows: NDArray[np.uint8], images_seen: int) -> None:
        """Take samples, uint8 [conditions, latents, height, width, channels]."""
        telling = images_seen >= QUIET_IMAGES and self._real_spread >= EVEN_CATALOG
        poor = telling and spread(rows) < POOR_SPREAD * self._real_spread
        self._poor = self._poor + 1 if poor else 0

    @property
    def uneasy(self) -> bool:
        """Whether something looks wrong, though not yet for long enough: keep no checkpoint now."""
        return self._lost > 0 or self._poor > 0

    def verdict(self) -> str | None:
        """Return in plain words what has collapsed, or None."""
        if self._lost >= LOST_REPORTS:
            return "the discriminator told nearly all generated garments from real ones"
        if self._poor >= POOR_SHEETS:
            return "the samples of a condition were nearly all alike"
        return None

    def forget(self) -> None:
        """Start looking anew, after the training went back."""
        self._lost = self._poor = 0


def spread(rows: NDArray[np.uint8]) -> float:
    """Return how much the images of a condition differ, in grey levels: mean of the pixels' std.

    Args:
        rows: uint8 [conditions, images, height, width, channels].
    """
    return float(rows.astype(np.float32).std(axis=1).mean()) if rows.size else 0.0


def _rows_of(dataset: Dataset) -> NDArray[np.uint8]:
    """Return a few garments of each value of the first attribute that has enough of them."""
    first = next(iter(dataset.labels.values()), np.zeros(dataset.n, np.int32))
    draw = np.random.default_rng(0)
    rows = []
    for value in np.unique(first[first >= 0]):
        places = np.flatnonzero(first == value)
        if len(places) >= _SAMPLED:
            rows.append(dataset.images[np.sort(draw.choice(places, _SAMPLED, replace=False))])
    shape = (0, _SAMPLED, *dataset.images.shape[1:])
    return np.stack(rows) if rows else np.zeros(shape, np.uint8)

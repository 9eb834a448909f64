"""Watching a training for collapse, and the ladder of what is changed when one is seen.

A GAN that collapses keeps finite losses: one network overpowers the other, or the generator answers
every latent alike. Each shows long before the end, and each is watched for by itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from worker.gan.data import Dataset
from worker.gan.readings import Reading
from worker.gan.recipe import Hyperparameters

QUIET_IMAGES: Final = 3_000
"""Until so many images were shown, a wide margin and pale samples are how every run begins."""

QUIET_STEPS: Final = 400
"""The same in steps for the classic losses, which begin slower: a tutorial's GAN in batches of 256
answers every latent alike for its first hundred steps and more, and that is no collapse."""

LOST_LOSS: Final = 3.5
"""Loss of either network above which the other has overpowered it. Runs that learned stayed between
0.9 and 2.2; the one that broke down went past 4 and stayed there (measured)."""

LOST_REPORTS: Final = 10
"""So many reports in a row, one a second: a single bad batch is no collapse."""

STEEP: Final = 100.0
"""Times the usual length of a gradient (the median of what was seen) that is no longer usual."""

USUAL_REPORTS: Final = 20
"""Reports from which on there is a usual length."""

POOR_SPREAD: Final = 0.2
"""Share of the catalog's own spread within a condition, under which the samples are all alike."""

POOR_COVERAGE: Final = 0.25
"""Share of the different catalog garments that real garments are nearest to, under which the
samples all lie beside a few of them."""

POOR_SHEETS: Final = 2

WORSE: Final = 2.0
"""Times its best that the metric may be off, interval against interval. Readings of trainings that
learned rose by a fifth at most; one that collapsed went to four times its best and stayed."""

EVEN_CATALOG: Final = 4.0
"""Grey levels of spread under which the catalog itself is so even that spread says nothing."""

_SAMPLED: Final = 8
_LOOKED_AT: Final = 8  # px: the side at which nearest garments are looked for
_COMPARED: Final = 512  # garments among which they are looked for

Change = Callable[[Hyperparameters, float], Hyperparameters]
"""Given the settings in force and the learning rate that `auto` would choose."""


@dataclass(frozen=True)
class Remedy:
    """One rung of the ladder.

    Attributes:
        words: what it changes, for the log and the card.
        change: does it.
        anew: whether to begin again from nothing, with another seed.
    """

    words: str
    change: Change
    anew: bool = False


def _slower(times: int) -> Change:
    # Half of what is far too high is too high still: above the usual rate, it comes back to that.
    return lambda h, usual: replace(h, learning_rate=min(h.learning_rate / times, usual))


def _firmer(hyper: Hyperparameters, _usual: float) -> Hyperparameters:
    # Twice nothing is nothing: a penalty that was switched off comes back at its usual weight.
    return replace(hyper, gamma=max(2 * hyper.gamma, 1.0))


def _stronger(hyper: Hyperparameters, _usual: float) -> Hyperparameters:
    return replace(
        hyper,
        flip=True,
        shift=min(max(hyper.shift, 0.08) + 0.08, 0.24),
        cutout=min(hyper.cutout + 0.2, 0.5),
        augment=min(hyper.augment + 0.3, 1.0),
    )


LADDER: Final = (
    Remedy("half the learning rate, and at most the usual one", _slower(2)),
    Remedy("twice the penalty", _firmer),
    Remedy("a quarter of the rate", _slower(4)),
    Remedy("stronger augmentation", _stronger),
    Remedy("an eighth of the rate", _slower(8)),
    Remedy("a new seed, from the start", lambda hyper, _: hyper, anew=True),
)
"""Tried from the top, one a collapse; each also draws other batches and latents from then on. The
rate comes first: half of it kept the run that was seen to break down. Together the rungs take it
to a sixty-fourth, or to a thirty-second of the usual one where more was asked for."""


def remedied(hyper: Hyperparameters, rungs: int, *, usual: float) -> Hyperparameters:
    """Return settings after the first so many rungs.

    Args:
        hyper: before any of them.
        rungs: how many.
        usual: the learning rate that `auto` would choose.
    """
    for remedy in LADDER[:rungs]:
        hyper = remedy.change(hyper, usual)
    return hyper


def quiet_images(hyper: Hyperparameters) -> int:
    """Return how many images a training with such settings is left alone for."""
    steps = 0 if hyper.loss == "relativistic" else QUIET_STEPS
    return max(QUIET_IMAGES, steps * hyper.batch)


class Watchdog:
    """Says when a training has collapsed. It only looks; `train` goes back and changes things."""

    def __init__(self, dataset: Dataset, *, quiet_images: int = QUIET_IMAGES) -> None:
        """Look at the catalog once.

        Args:
            dataset: what the training learns.
            quiet_images: until so many were shown, nothing is held against it.
        """
        self._quiet = quiet_images
        real = _rows_of(dataset)
        self._real_spread = spread(real)
        self._garments = _small(_some_of(dataset))
        self._real_coverage = coverage(_flat(real), self._garments)
        self._lengths: list[float] = []
        self._beaten = self._fooled = self._steep = self._alike = self._narrow = 0
        self._worse = False

    def see_losses(self, losses: Mapping[str, float], images_seen: int) -> None:
        """Take the means since the last report, by the names that trainers give them."""
        telling = images_seen >= self._quiet
        beaten = telling and losses.get("generator", 0.0) > LOST_LOSS
        fooled = telling and losses.get("discriminator", 0.0) > LOST_LOSS
        self._beaten = self._beaten + 1 if beaten else 0
        self._fooled = self._fooled + 1 if fooled else 0
        self._see_gradients(losses, telling=telling)

    def see_samples(self, rows: NDArray[np.uint8], images_seen: int) -> None:
        """Take samples, uint8 [conditions, latents, height, width, channels]."""
        telling = images_seen >= self._quiet
        alike = self._real_spread >= EVEN_CATALOG and (
            spread(rows) < POOR_SPREAD * self._real_spread
        )
        narrow = coverage(_flat(rows), self._garments) < POOR_COVERAGE * self._real_coverage
        self._alike = self._alike + 1 if telling and alike else 0
        self._narrow = self._narrow + 1 if telling and narrow else 0

    def see_reading(self, reading: Reading, best: Reading | None) -> None:
        """Take a reading of the metric (lower is better), and the best one before it."""
        telling = best is not None and reading.images >= self._quiet
        self._worse = telling and best is not None and reading.low > WORSE * best.high

    @property
    def uneasy(self) -> bool:
        """Whether something looks wrong, though not yet for long enough: keep no checkpoint now."""
        return self._worse or any(
            (self._beaten, self._fooled, self._steep, self._alike, self._narrow)
        )

    def verdict(self) -> str | None:
        """Return in plain words what has collapsed, or None."""
        signs = (
            (self._beaten >= LOST_REPORTS,
             "the discriminator told nearly all generated garments from real ones"),
            (self._fooled >= LOST_REPORTS,
             "the discriminator no longer told generated garments from real ones"),
            (self._steep >= LOST_REPORTS,
             f"the gradients were over {STEEP:g} times as long as usual"),
            (self._alike >= POOR_SHEETS, "the samples of a condition were nearly all alike"),
            (self._narrow >= POOR_SHEETS, "the samples lay beside a few garments of the catalog"),
            (self._worse, f"the metric was over {WORSE:g} times as far off as at its best"),
        )  # fmt: skip
        return next((words for wrong, words in signs if wrong), None)

    def forget(self) -> None:
        """Start looking anew, after the training went back."""
        self._beaten = self._fooled = self._steep = self._alike = self._narrow = 0
        self._worse = False

    def _see_gradients(self, losses: Mapping[str, float], *, telling: bool) -> None:
        length = max((v for k, v in losses.items() if k.endswith("_gradient")), default=0.0)
        usual = float(np.median(self._lengths)) if len(self._lengths) >= USUAL_REPORTS else None
        steep = telling and usual is not None and length > STEEP * max(usual, 1e-3)
        self._steep = self._steep + 1 if steep else 0
        if not steep:
            self._lengths = [*self._lengths[-10 * USUAL_REPORTS :], length]


def spread(rows: NDArray[np.uint8]) -> float:
    """Return how much the images of a condition differ, in grey levels: mean of the pixels' std.

    Args:
        rows: uint8 [conditions, images, height, width, channels].
    """
    return float(rows.astype(np.float32).std(axis=1).mean()) if rows.size else 0.0


def coverage(images: NDArray[np.uint8], garments: NDArray[np.float32]) -> float:
    """Return how many different garments are the nearest of some image, as a share of the images.

    Args:
        images: uint8 [n, height, width, channels].
        garments: [m, numbers], small pictures as `_small` makes them.
    """
    if not len(images) or not len(garments):
        return 0.0
    small = _small(images)
    products = small @ garments.T
    distances = np.square(garments).sum(axis=1) - 2 * products
    return len(np.unique(distances.argmin(axis=1))) / len(images)


def _flat(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return rows.reshape(-1, *rows.shape[2:])


def _small(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Average blocks to at most _LOOKED_AT px a side, [n, numbers]."""
    count, height, width, channels = images.shape
    block = max(1, -(-max(height, width) // _LOOKED_AT))
    edges = [(0, -length % block) for length in (height, width)]
    padded = np.pad(images, ((0, 0), *edges, (0, 0)), "edge").astype(np.float32)
    shape = (count, padded.shape[1] // block, block, padded.shape[2] // block, block, channels)
    return np.asarray(padded.reshape(shape).mean(axis=(2, 4)).reshape(count, -1), np.float32)


def _some_of(dataset: Dataset) -> NDArray[np.uint8]:
    draw = np.random.default_rng(1)
    chosen = draw.choice(dataset.n, min(_COMPARED, dataset.n), replace=False)
    return dataset.images[np.sort(chosen)]


def _rows_of(dataset: Dataset) -> NDArray[np.uint8]:
    """Return a few garments of each value of the first attribute that has enough of them."""
    nothing: Any = np.zeros(dataset.n, np.int32)
    first = next(iter(dataset.labels.values()), nothing)
    draw = np.random.default_rng(0)
    rows = []
    for value in np.unique(first[first >= 0]):
        places = np.flatnonzero(first == value)
        if len(places) >= _SAMPLED:
            rows.append(dataset.images[np.sort(draw.choice(places, _SAMPLED, replace=False))])
    shape = (0, _SAMPLED, *dataset.images.shape[1:])
    return np.stack(rows) if rows else np.zeros(shape, np.uint8)

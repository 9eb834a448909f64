"""Figures of a release that was just trained, for its card."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from shared.errors import UnreadableSourceError
from worker.gan.data import Dataset
from worker.gan.judging import FEWEST, Judging
from worker.gan.measure.encoder import Encoder, train_encoder
from worker.gan.measure.extractors import Extractors, file_of
from worker.gan.measure.judge import Sampler
from worker.gan.measure.suite import measure
from worker.gan.measure.untrained import Untrained
from worker.gan.release import Generator, TrainedRelease, load_generator
from worker.gan.samples import sampler
from worker.pictures.colours import main_and_second, measure_colours

USUAL_MINUTES: Final = 10.0
THOROUGH_MINUTES: Final = 30.0
"""From trainings of these lengths on, the figures take more: nobody waits as long for them as for
the training itself."""


LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class Depth:
    """How much is spent on the figures.

    Attributes:
        n: garments in a reading.
        readings: how often, with other draws.
    """

    n: int
    readings: int


QUICK: Final = Depth(1_000, 2)
USUAL: Final = Depth(2_000, 3)
THOROUGH: Final = Depth(10_000, 5)


def depth_for(minutes: float | None) -> Depth:
    """Return how much to spend after a training of so many minutes; None is one by images."""
    length = minutes or 0.0
    if length < USUAL_MINUTES:
        return QUICK
    return USUAL if length < THOROUGH_MINUTES else THOROUGH


def with_figures(
    release: TrainedRelease,
    dataset: Dataset,
    judging: Judging,
    *,
    heldout: float,
    depth: Depth,
    on_progress: Callable[[float], None] | None = None,
) -> tuple[TrainedRelease, dict[str, bytes]]:
    """Measure a release against the garments that were held out of its training.

    Args:
        release: fresh from the training.
        dataset: the whole catalog that it was trained on.
        judging: made the training's judge, and holds its classifier and what was kept.
        heldout: share that was held out, as the recipe says.
        depth: how much to spend.
        on_progress: called between parts with the share done, 0..1; may raise to stop.

    Returns:
        The release with `figures` on its card, and the extractors' files, to be kept for the next
        training on the same garments. Where too few garments are held out, the card says so.
    """
    rows, held = dataset.split(heldout)
    if len(held) < FEWEST:
        words = (
            f"Only {len(held)} garments are held out; with fewer than {FEWEST} none is measured."
        )
        return replace(release, card={**release.card, "figures": [], "figures_note": words}), {}
    train, test = dataset.take(rows), dataset.take(held)
    extractors = _extractors(train, judging, on_progress)
    figures = measure(
        sampler_of(load_generator(release.files())),
        train=train, test=test, extractors=extractors, seed=0, n=depth.n, seeds=depth.readings,
        measure_colours=colours_of if dataset.slots else None, on_progress=on_progress,
    )  # fmt: skip
    told = [figure.as_dict() for figure in figures]
    return replace(release, card={**release.card, "figures": told}), extractors.to_files()


def sampler_of(generator: Generator) -> Sampler:
    """Return what figures of a release are read from."""
    forward = tf.function(lambda z, y, c: generator.network(z, y, c, training=False))

    def sample(
        points: NDArray[np.float32], labels: NDArray[np.int32], colours: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        images: NDArray[np.float32] = forward(*map(tf.constant, (points, labels, colours))).numpy()
        return images

    return sampler(sample, frame=generator.anatomy.frame, width=generator.latent)


def colours_of(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the main and second colour as catalogs measure them, CIELAB [n, 2, 3]."""
    return main_and_second(each.palette for each in measure_colours(images))


def _extractors(
    train: Dataset,
    judging: Judging,
    on_progress: Callable[[float], None] | None,
) -> Extractors:
    encoder = _encoder_kept(judging.kept) or train_encoder(
        train, seed=0, steps=judging.steps, on_progress=on_progress
    )
    untrained = Untrained(frame=train.frame, channels=train.channels)
    return Extractors(judging.classifier, encoder, untrained)


def _encoder_kept(kept: Mapping[str, bytes]) -> Encoder | None:
    file = file_of(Encoder.letter)
    try:
        return Encoder.from_bytes(kept[file]) if file in kept else None
    except UnreadableSourceError as error:
        LOG.warning("The kept encoder is trained again: %s", error)
        return None

"""Tiny catalogs cut in two, extractors trained for a moment, and samplers that need no network."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.unit.worker.gan.conftest import make_garments
from worker.gan.data import Dataset
from worker.gan.measure.extractors import Extractors
from worker.gan.measure.judge import Sampler

STEPS = 24


@dataclass(frozen=True)
class Halves:
    """A catalog's training part and what was held out of it."""

    train: Dataset
    test: Dataset


@pytest.fixture(scope="session")
def halves() -> Halves:
    return Halves(make_garments(n=160, seed=1), make_garments(n=64, seed=2))


@pytest.fixture(scope="session")
def extractors(halves: Halves) -> Extractors:
    return Extractors.train(halves.train, seed=3, steps=STEPS)


@pytest.fixture(scope="session")
def drawn() -> Sampler:
    """Draws bars as the catalog's are drawn: as good as a generator can be."""

    def sample(labels: NDArray[np.int32], _: NDArray[np.float32], seed: int) -> NDArray[np.uint8]:
        draw = np.random.default_rng(seed)
        images = np.full((len(labels), 16, 16, 3), 255, np.uint8)
        for image, (kind, tone) in zip(images, labels.tolist(), strict=True):
            bar = image[:, 5:-5] if kind == 0 else image[5:-5, :]
            bar[...] = 60 + 60 * (tone + 1) + draw.integers(0, 20)
        return images

    return sample


@pytest.fixture(scope="session")
def collapsed(drawn: Sampler) -> Sampler:
    """Answers every condition with one and the same upright bar."""

    def sample(
        labels: NDArray[np.int32], colours: NDArray[np.float32], _: int
    ) -> NDArray[np.uint8]:
        return np.repeat(drawn(labels[:1] * 0, colours[:1], 0), len(labels), axis=0)

    return sample

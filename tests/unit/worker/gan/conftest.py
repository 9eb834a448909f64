"""Tiny garments, and one small training that the tests of releases share."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from worker.gan.checkpoint import FolderCheckpoints
from worker.gan.data import Dataset
from worker.gan.progress import Progress
from worker.gan.recipe import Hyperparameters, Recipe
from worker.gan.release import TrainedRelease

MakeGarments = Callable[..., Dataset]


def make_garments(*, n: int = 48, size: int = 16, channels: int = 3, seed: int = 0) -> Dataset:
    """Upright and flat bars, dark, light or of unknown shade, on white."""
    draw = np.random.default_rng(seed)
    shape = draw.integers(0, 2, n).astype(np.int32)
    shade = draw.integers(-1, 2, n).astype(np.int32)
    images = np.full((n, size, size, channels), 255, np.uint8)
    for image, kind, tone in zip(images, shape, shade, strict=True):
        bar = image[:, 5:-5] if kind == 0 else image[5:-5, :]
        bar[...] = 60 + 60 * (tone + 1) + draw.integers(0, 20)
    return Dataset(
        images,
        {"shape": shape, "shade": shade},
        {"shape": ("upright", "flat"), "shade": ("dark", "light")},
        f"bars-{n}-{size}-{channels}-{seed}",
    )


@pytest.fixture(scope="session")
def garments() -> MakeGarments:
    return make_garments


@pytest.fixture(scope="session")
def tiny() -> Hyperparameters:
    """Networks for 16 px that compile in a second or two."""
    return Hyperparameters(
        generator_widths=(12, 8),
        discriminator_widths=(12,),
        latent=8,
        embedding=4,
        features=8,
        batch=8,
        flip=True,
        shift=0.1,
        balance=0.5,
    )


@pytest.fixture(scope="session")
def trained(
    tmp_path_factory: pytest.TempPathFactory, tiny: Hyperparameters
) -> tuple[TrainedRelease, list[Progress], Path]:
    """A release after 12 steps, what was reported on the way, and where its checkpoints are."""
    from worker.gan.train import train

    folder = tmp_path_factory.mktemp("checkpoints")
    reports: list[Progress] = []
    release = train(
        Recipe(images=96, seed=5, preview_seconds=0.0, hyper=tiny),
        make_garments(),
        FolderCheckpoints(folder),
        on_progress=reports.append,
        should_stop=lambda: False,
    )
    return release, reports, folder

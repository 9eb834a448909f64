"""The networks in training: what all presets share, and one file a way of learning."""

import numpy as np
from numpy.typing import NDArray

from worker.gan.data import Dataset
from worker.gan.device import Device
from worker.gan.networks.registry import preset_of
from worker.gan.recipe import Hyperparameters
from worker.gan.trainers.adversarial import AdversarialTrainer
from worker.gan.trainers.base import Settings, Trainer
from worker.gan.trainers.variational import VariationalTrainer

__all__ = ["Settings", "Trainer", "build_trainer"]


def build_trainer(
    preset: str,
    hyper: Hyperparameters,
    dataset: Dataset,
    *,
    rows: NDArray[np.intp] | None = None,
    seed: int,
    device: Device,
) -> Trainer:
    """Return the trainer of a preset, its networks new; see `Trainer` for the arguments."""
    kind = AdversarialTrainer if preset_of(preset).adversarial else VariationalTrainer
    return kind(preset, hyper, dataset, rows=rows, seed=seed, device=device)

"""A release of random weights: as fast as a trained one of its size, and made in a second."""

import numpy as np

from worker.gan.anatomy import Anatomy
from worker.gan.choices import Situation, resolve
from worker.gan.combinations import Combinations
from worker.gan.frame import Frame
from worker.gan.networks.registry import build_generator
from worker.gan.recipe import Recipe
from worker.gan.release import TrainedRelease

VOCABULARY = {"category": ("coat", "dress", "skirt", "trousers")}


def files(size: int) -> dict[str, bytes]:
    """Return the files of a release that makes colour pictures of `size` px.

    Preset and widths are those that a training of ten thousand garments would choose.
    """
    situation = Situation(size=size, channels=3, garments=10_000, imbalance=1.0, device="cpu")
    recipe, _ = resolve(Recipe(images=1), situation)
    if recipe.hyper is None:
        raise AssertionError("a resolved recipe has its settings")
    labels = np.arange(len(VOCABULARY["category"]), dtype=np.int32)[:, None]
    anatomy = Anatomy(
        recipe.preset, recipe.hyper, Frame(size, size), 3, VOCABULARY, 0, Combinations.of(labels)
    )
    network = build_generator(recipe.preset, recipe.hyper, anatomy.shape)
    blank = np.zeros((size, size, 3), np.uint8)
    return TrainedRelease(network.get_weights(), anatomy, {}, blank).files()

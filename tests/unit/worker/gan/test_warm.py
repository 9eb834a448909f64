import numpy as np
import pytest

from worker.gan.networks.layers import Shape
from worker.gan.networks.registry import PRESETS
from worker.gan.recipe import Hyperparameters
from worker.gan.warm import transfer

KNOWN = {"shape": ("upright", "flat"), "shade": ("dark", "light")}
WANTED = {"shade": ("light", "dark", "grey"), "season": ("summer",), "shape": ("flat", "upright")}


def shape(vocabulary: dict[str, tuple[str, ...]], slots: int = 2) -> Shape:
    return Shape(16, 3, tuple(len(values) for values in vocabulary.values()), slots)


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_what_both_know_is_made_as_before(preset: str, tiny: Hyperparameters) -> None:
    build = PRESETS[preset].generator
    source, target = build(tiny, shape(KNOWN), seed=1), build(tiny, shape(WANTED), seed=2)
    transfer(source, target, known=KNOWN, wanted=WANTED, kept=tiny.latent)
    points = np.random.default_rng(0).standard_normal((3, tiny.latent)).astype(np.float32)
    colours = np.full((3, 2, 3), np.nan, np.float32)
    colours[0, 0] = [50, 20, 10]
    theirs = np.array([[0, 1], [1, -1], [-1, 0]], np.int32)
    ours = np.array([[0, -1, 1], [-1, 0, 0], [1, -1, -1]], np.int32)
    before, after = source(points, theirs, colours), target(points, ours, colours)
    np.testing.assert_allclose(after.numpy(), before.numpy(), atol=1e-5)


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_what_both_know_is_judged_as_before(preset: str, tiny: Hyperparameters) -> None:
    build = PRESETS[preset].critic
    source, target = build(tiny, shape(KNOWN), seed=1), build(tiny, shape(WANTED), seed=2)
    kept = getattr(source, "pictured", 0)
    transfer(source, target, known=KNOWN, wanted=WANTED, kept=kept)
    images = np.random.default_rng(0).uniform(-1, 1, (3, 16, 16, 3)).astype(np.float32)
    none = np.full((3, 2, 3), np.nan, np.float32)
    theirs = np.array([[0, 1], [1, -1], [-1, 0]], np.int32)
    ours = np.array([[0, -1, 1], [-1, -1, 0], [1, -1, -1]], np.int32)
    before, after = source(images, theirs, none), target(images, ours, none)
    np.testing.assert_allclose(after.numpy(), before.numpy(), atol=1e-5)


def test_other_networks_are_refused(tiny: Hyperparameters) -> None:
    build = PRESETS["residual"].generator
    wider = Hyperparameters((20, 8), (12,), latent=8, embedding=4, features=8)
    with pytest.raises(ValueError, match="differ in more"):
        transfer(
            build(tiny, shape(KNOWN)), build(wider, shape(KNOWN)),
            known=KNOWN, wanted=KNOWN, kept=8,
        )  # fmt: skip

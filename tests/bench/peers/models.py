"""What the peers make pictures with: the same networks, called in the plain way."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Paint = Callable[[list[int]], NDArray[np.uint8]]

FILES = ("generator.npz", "generator.json")


def painter(model: Mapping[str, Any]) -> Paint:
    """Return what makes a picture a seed.

    Args:
        model: either {"device": a `Pacing`} or {"folder": where a release's files lie}.
    """
    if "device" in model:
        return _simulated(model["device"])
    return _network(Path(model["folder"]))


def _simulated(pacing: Mapping[str, Any]) -> Paint:
    from tests.bench.simulated import Pacing, Simulated

    device = Simulated(Pacing.model_validate(pacing))

    def paint(seeds: list[int]) -> NDArray[np.uint8]:
        nothing: list[Mapping[str, str]] = [{} for _ in seeds]
        return device.generate(seeds, nothing, temper=[1.0] * len(seeds), blends=[()] * len(seeds))

    return paint


def _network(folder: Path) -> Paint:
    """Call the network with just the images asked for: no padding to whole chunks, as Toile has."""
    import tensorflow as tf

    from worker.gan import grid, latents
    from worker.gan.release import load_generator

    generator = load_generator({name: (folder / name).read_bytes() for name in FILES})
    forward = tf.function(
        lambda z, labels, colours: generator.network(z, labels, colours, training=False),
        reduce_retracing=True,
    )

    def paint(seeds: list[int]) -> NDArray[np.uint8]:
        count = len(seeds)
        points = latents.draw(seeds, generator.latent)
        labels = np.zeros((count, len(generator.vocabulary)), np.int32)
        colours = np.full((count, generator.slots, 3), np.nan, np.float32)
        images = forward(tf.constant(points), tf.constant(labels), tf.constant(colours))
        return grid.to_bytes(images.numpy())

    paint([0])
    return paint

"""Extractor C: a convolutional network with fixed random weights, the same for every catalog."""

from typing import Any, ClassVar, Final

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from worker.gan.frame import Frame
from worker.gan.measure import trunk

_ROLE: Final = 2
_SEED: Final = 20_260_101
_WIDTHS: Final = (32, 64, 64)
_GRID: Final = 4
_GAIN: Final = 2.0  # averaging takes spread away; this puts the mean square back near 1


class Network(keras.Model):
    """Random convolutions, averaged over a 4x4 grid and mixed at random into 128 numbers."""

    def __init__(self, *, size: int, channels: int) -> None:
        super().__init__()
        seeds = trunk.layer_seeds(_SEED, role=_ROLE)
        self.stages = [
            keras.layers.Conv2D(
                width, 3, strides=2, padding="same", kernel_initializer=trunk.he(next(seeds)),
                activation="relu",
            )
            for width in _WIDTHS[: 2 if trunk.seen_side(size) <= 2 * _GRID**2 else 3]
        ]  # fmt: skip
        spread = keras.initializers.LecunNormal(seed=next(seeds))
        self.mix = keras.layers.Dense(trunk.FEATURES, use_bias=False, kernel_initializer=spread)
        side = trunk.seen_side(size)
        self(tf.zeros((1, side, side, channels)))

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:  # noqa: ARG002, FBT001, FBT002 - Keras' own signature
        """[n, side, side, channels] in [-1, 1] -> [n, 128]."""
        x = images
        for stage in self.stages:
            x = stage(x)
        x = tf.image.resize(x, (_GRID, _GRID), method="area")
        return _GAIN * self.mix(tf.reshape(x, (-1, _GRID**2 * x.shape[3])))


class Untrained:
    """Looks at images without having seen any: near to pixels, and blind to what is a garment.

    Attributes:
        letter: "C".
        digest: names these weights; one for each size and number of channels.
    """

    letter: ClassVar[str] = "C"

    def __init__(self, *, frame: Frame, channels: int, batch: int | None = None) -> None:
        self._about = trunk.about(self.letter, frame, channels)
        self._batch = batch
        self._take(Network(size=frame.side, channels=channels))

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 [n, height, width, channels] -> float32 [n, 128].

        Raises:
            InvalidInputError: the images have another shape or type.
        """
        return self._run(images)

    def to_bytes(self) -> bytes:
        """Write the network as .npz: another TensorFlow may draw other weights from the seed."""
        return trunk.to_bytes(self._about, self._weights)

    @classmethod
    def from_bytes(cls, data: bytes, *, batch: int | None = None) -> "Untrained":
        """Read what `to_bytes` wrote.

        Args:
            data: the file.
            batch: images a pass, as `trunk.Batched` takes it.

        Raises:
            UnreadableSourceError: damaged, or another extractor.
        """
        about, weights = trunk.from_bytes(data, letter=cls.letter)
        made = cls(frame=trunk.frame_of(about), channels=about["channels"], batch=batch)
        trunk.put(made._network, weights, letter=cls.letter)
        made._take(made._network)
        return made

    def _take(self, network: Any) -> None:
        self._network = network
        self._weights = network.get_weights()
        self.digest = trunk.digest(self._about, self._weights)
        self._run = trunk.Batched(
            network,
            frame=trunk.frame_of(self._about),
            channels=self._about["channels"],
            batch=self._batch,
        )

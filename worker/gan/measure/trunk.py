"""The convolutional trunk that all extractors share, and running it in batches of one size."""

import hashlib
import json
import math
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from shared.errors import InvalidInputError, UnreadableSourceError
from worker.gan.checkpoint import pack, unpack
from worker.gan.frame import Frame

ARCHITECTURE: Final = "trunk-2"
"""Changes with the layers: figures of another architecture are other figures."""

FEATURES: Final = 128

LARGEST_SIDE: Final = 64
"""Larger images are averaged down to this first."""

_STEM_SIDE: Final = 16
"""The first layer takes steps so wide that no more than this is left: what follows costs most."""

_LOWEST_SIDE: Final = 4
_STEM_WIDTH: Final = 32
_WIDTHS: Final = (64, 96, 96)
_PIXELS_AT_ONCE: Final = 512 * 32**2
_SCALED_BY: Final = 4_000
_MOMENTUM: Final = 0.9

Weights = Sequence[NDArray[np.float32]]


class Trunk(keras.Model):
    """Images -> features: convolutions, each halved by its greatest values, then one layer.

    Normalised by batches while it learns (Ioffe & Szegedy 2015, arXiv 1502.03167): in as many
    steps Fashion-MNIST is told right more often by 1 in 100.
    """

    def __init__(self, *, size: int, channels: int, seeds: Iterator[int]) -> None:
        super().__init__()
        side = seen_side(size)
        stride = 2 ** math.ceil(math.log2(max(1.0, side / _STEM_SIDE)))
        self.stem = Stage(_STEM_WIDTH, 2 * stride if stride > 1 else 3, seeds, stride=stride)
        side = -(-side // stride)
        self.stages: list[Any] = []
        while side > _LOWEST_SIDE:
            width = _WIDTHS[min(len(self.stages), len(_WIDTHS) - 1)]
            self.stages.append(Stage(width, 3, seeds, pooled=True))
            side = -(-side // 2)
        self.last = keras.layers.Dense(
            FEATURES, kernel_initializer=he(next(seeds)), activation="relu"
        )
        self(tf.zeros((1, seen_side(size), seen_side(size), channels)))

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:  # noqa: FBT001, FBT002 - Keras' own signature
        """[n, side, side, channels] in [-1, 1] -> [n, FEATURES], 0 or more."""
        x = self.stem(images, training=training)
        for stage in self.stages:
            x = stage(x, training=training)
        return self.last(tf.reshape(x, (-1, x.shape[1] * x.shape[2] * x.shape[3])))


class Stage(keras.layers.Layer):
    """A convolution, its greatest value of each 2x2 or not, normalised and rectified."""

    def __init__(
        self, width: int, kernel: int, seeds: Iterator[int], *, stride: int = 1,
        pooled: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.pooled = pooled
        self.convolution = keras.layers.Conv2D(
            width, kernel, strides=stride, padding="same", use_bias=False,
            kernel_initializer=he(next(seeds)),
        )  # fmt: skip
        self.norm = keras.layers.BatchNormalization(momentum=_MOMENTUM)

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:  # noqa: FBT001, FBT002 - Keras' own signature
        """[n, h, w, c] -> [n, h / stride, w / stride, width], or half of that."""
        x = self.convolution(x)
        # Before the norm: a quarter of the numbers is left to normalise.
        x = tf.nn.max_pool2d(x, 2, 2, "SAME") if self.pooled else x
        return tf.nn.relu(self.norm(x, training=training))


class Batched:
    """A network as a function of bytes, compiled once for batches of one size."""

    def __init__(
        self,
        function: Callable[[tf.Tensor], tf.Tensor],
        *,
        frame: Frame,
        channels: int,
        batch: int | None = None,
    ) -> None:
        """Compile it.

        Args:
            function: [n, side, side, channels] in [-1, 1] -> [n, d].
            frame: of the images.
            channels: of the images.
            batch: images a pass; None takes many, which is right for a whole catalog and wrong for
                the few of a request.
        """
        self._frame = frame
        self._shape = (frame.height, frame.width, channels)
        # Always the same number: another one may round differently, and compiles anew.
        self._batch = batch or max(32, min(512, _PIXELS_AT_ONCE // frame.side**2))
        signature = [tf.TensorSpec((self._batch, frame.side, frame.side, channels), tf.uint8)]
        self._run = tf.function(lambda x: function(as_seen(x)), input_signature=signature)
        self._width = int(self._run.get_concrete_function().output_shapes[-1])

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 [n, height, width, channels] -> float32 [n, d].

        Raises:
            InvalidInputError: the images have another shape or type.
        """
        if images.shape[1:] != self._shape or images.dtype != np.uint8:
            raise InvalidInputError(
                f"This extractor reads uint8 images of {list(self._shape)}; got {images.dtype} "
                f"{list(images.shape[1:])}. Train extractors on the catalog that is measured."
            )
        found = np.empty((len(images), self._width), np.float32)
        for start in range(0, len(images), self._batch):
            part = self._frame.inward(images[start : start + self._batch])
            missing = self._batch - len(part)
            whole = np.pad(part, ((0, missing), (0, 0), (0, 0), (0, 0))) if missing else part
            found[start : start + len(part)] = self._run(tf.constant(whole)).numpy()[: len(part)]
        return found


def about(letter: str, frame: Frame, channels: int) -> dict[str, Any]:
    """Return what is written beside the weights of an extractor of such images."""
    return {
        "architecture": ARCHITECTURE,
        "letter": letter,
        "size": frame.height if frame.height == frame.width else [frame.height, frame.width],
        "channels": channels,
    }


def frame_of(about: Mapping[str, Any]) -> Frame:
    """Return the size of the images that an extractor reads; one number means square."""
    size = about["size"]
    return Frame(size, size) if isinstance(size, int) else Frame(*size)


def seen_side(size: int) -> int:
    """Return the side in px at which images of `size` are looked at."""
    return min(size, LARGEST_SIDE)


def as_seen(images: tf.Tensor) -> tf.Tensor:
    """uint8 [n, size, size, channels] -> float32 in [-1, 1], averaged down to LARGEST_SIDE."""
    x = tf.cast(images, tf.float32) / 127.5 - 1.0
    side = seen_side(images.shape[1])
    return x if side == images.shape[1] else tf.image.resize(x, (side, side), method="area")


def he(seed: int) -> Any:
    """Spread for a layer that a rectifier follows."""
    return keras.initializers.HeNormal(seed=seed)


def layer_seeds(seed: int, *, role: int) -> Iterator[int]:
    """Yield one seed a layer, unrelated between layers, extractors and seeds."""
    return iter(np.random.SeedSequence([seed, role]).generate_state(64).tolist())


def scale_of(
    features: Callable[[NDArray[np.uint8]], NDArray[np.float32]], images: NDArray[np.uint8]
) -> float:
    """Return what makes the features' mean square 1, so that figures do not grow with training."""
    some = images[:: max(1, len(images) // _SCALED_BY)]
    return float(1.0 / max(1e-6, float(np.sqrt(np.square(features(some)).mean(dtype=np.float64)))))


def digest(about: Mapping[str, Any], weights: Weights) -> str:
    """Return the first 8 hex digits of the SHA-256 over the architecture and the weights."""
    whole = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for array in weights:
        whole.update(np.ascontiguousarray(array).tobytes())
    return whole.hexdigest()[:8]


def to_bytes(about: Mapping[str, Any], weights: Weights) -> bytes:
    """Write what an extractor is and its weights as .npz."""
    text = json.dumps({**about, "digest": digest(about, weights)}).encode()
    arrays: dict[str, NDArray[Any]] = {f"{i:03d}": array for i, array in enumerate(weights)}
    return pack({"about": np.frombuffer(text, np.uint8), **arrays})


def from_bytes(data: bytes, *, letter: str) -> tuple[dict[str, Any], list[NDArray[np.float32]]]:
    """Read what `to_bytes` wrote.

    Raises:
        UnreadableSourceError: damaged, of another architecture, or another extractor's.
    """
    try:
        arrays = unpack(data)
        about: dict[str, Any] = json.loads(arrays.pop("about").tobytes())
        weights = [arrays[name] for name in sorted(arrays)]
        _check_about(about, weights, letter)
    except (KeyError, ValueError, TypeError, OSError, EOFError, zipfile.BadZipFile) as problem:
        raise UnreadableSourceError(
            f"Extractor {letter} cannot be read ({problem}). Train the extractors anew."
        ) from problem
    return about, weights


def put(network: Any, weights: Iterable[NDArray[np.float32]], *, letter: str) -> None:
    """Give a network its weights.

    Raises:
        UnreadableSourceError: they are another network's.
    """
    try:
        network.set_weights(list(weights))
    except ValueError as problem:
        raise UnreadableSourceError(
            f"The weights of extractor {letter} do not fit its network. Train it anew."
        ) from problem


def _check_about(about: dict[str, Any], weights: Weights, letter: str) -> None:
    expected = about.pop("digest")
    if digest(about, weights) != expected:
        raise ValueError("its digest is another one")
    if (about["architecture"], about["letter"]) != (ARCHITECTURE, letter):
        raise ValueError(f"it is {about['letter']} of {about['architecture']}")

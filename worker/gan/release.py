"""A release: the averaged generator with all it needs to be used, as a few files."""

import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from shared.colour import hex_to_lab, lab_to_hex
from shared.errors import InvalidInputError, ReleaseCorruptError
from worker.gan import grid, latents
from worker.gan.anatomy import Anatomy
from worker.gan.checkpoint import pack, unpack
from worker.gan.networks.registry import build_generator, preset_of
from worker.gan.versions import READABLE

COLOUR_NAMES = ("colour", "second_colour")
"""What the slots are called in a condition; each takes `#rrggbb`."""

LARGE = 64
"""Sides above this many px are large: on a CPU an image costs the same in a pass of 4 as of 64."""


def images_a_pass(size: int, *, gpu: bool) -> int:
    """Return how many images a release makes in a forward pass, always.

    A pass of another size rounds differently in the last bits, of which one byte in a hundred
    thousand shows something: then a design would depend on what shared its batch. So a release has
    one size of pass, not several, and a lone image costs as much as a full one. Measured on two
    CPU cores: at 28 px a pass of 16 takes 7 ms (of 1: 2.4; of 64: 25), at 128 px a pass of 4 takes
    19 ms (of 1: 8; of 64: 395, no less an image). On a GPU, where none of this was measured, a
    small pass would leave the device idle.

    Args:
        size: side of the images, px.
        gpu: whether they are made on one.
    """
    if gpu:
        return 64
    return 16 if size <= LARGE else 4


@dataclass(frozen=True)
class TrainedRelease:
    """What a training hands over.

    Attributes:
        weights: of the averaged generator, in its own order: the best by the metric.
        anatomy: what shapes it.
        card: plain data for JSON: what it was trained on, how, and what it is for.
        grid: the last sample sheet, uint8 [height, width, channels].
        critic: weights of the discriminator or encoder, from which a later training can go on.
        last: weights of the last state, where the best is an earlier one.
    """

    weights: Sequence[NDArray[np.float32]]
    anatomy: Anatomy
    card: Mapping[str, Any]
    grid: NDArray[np.uint8]
    critic: Sequence[NDArray[np.float32]] = ()
    last: Sequence[NDArray[np.float32]] = ()

    def files(self) -> dict[str, bytes]:
        """Return generator.npz, generator.json, card.json, grid.png, and what else there is."""
        weights = _packed(self.weights)
        config = {
            **self.anatomy.as_dict(),
            "weights_sha256": hashlib.sha256(weights).hexdigest(),
        }
        extra = {"critic.npz": self.critic, "last.npz": self.last}
        return {
            "generator.npz": weights,
            "generator.json": json.dumps(config, indent=1).encode(),
            "card.json": json.dumps(self.card, indent=1).encode(),
            "grid.png": grid.png(self.grid),
            **{name: _packed(arrays) for name, arrays in extra.items() if len(arrays)},
        }


class Generator:
    """A loaded release that makes images. Not for several threads at once."""

    def __init__(self, network: Any, anatomy: Anatomy) -> None:
        self.anatomy = anatomy
        self.network = network
        self.latent: int = network.latent
        gpu = bool(tf.config.list_physical_devices("GPU"))
        self.chunk = images_a_pass(self.size, gpu=gpu)
        self._forward = tf.function(
            lambda z, labels, colours: network(z, labels, colours, training=False),
            jit_compile=gpu,
        )

    @property
    def size(self) -> int:
        """The longer side of its pictures, px."""
        return max(self.anatomy.frame.height, self.anatomy.frame.width)

    @property
    def channels(self) -> int:
        """1 (grey) or 3 (RGB)."""
        return self.anatomy.channels

    @property
    def slots(self) -> int:
        """Colours that it may be asked for: 2, or 0."""
        return self.anatomy.slots

    @property
    def preset(self) -> str:
        """The family of networks."""
        return self.anatomy.preset

    @property
    def vocabulary(self) -> Mapping[str, tuple[str, ...]]:
        """The attributes and values that it may be asked for."""
        return self.anatomy.vocabulary

    @property
    def nbytes(self) -> int:
        """Memory of its weights, bytes."""
        return sum(weight.nbytes for weight in self.network.get_weights())

    def warm(self) -> None:
        """Make one pass of nothing, so that no request waits for the tracing."""
        shape, attributes = (1, self.latent), len(self.vocabulary)
        labels = np.full((1, attributes), -1, np.int32)
        colours = np.full((1, self.slots, 3), np.nan, np.float32)
        self.paint(np.zeros(shape, np.float32), labels, colours)

    def generate(
        self,
        seeds: Sequence[int],
        conditions: Sequence[Mapping[str, str]],
        *,
        temper: float | Sequence[float] = 1.0,
        blends: Sequence[Sequence[tuple[int, float]]] | None = None,
    ) -> NDArray[np.uint8]:
        """Make one image a seed; the same seed and condition give the same bytes in any batch.

        Args:
            seeds: whole numbers from 0 to 2**63 - 1.
            conditions: for each seed, attribute -> value; attributes left out are drawn, by the
                seed, from what the catalog has with the others. Where the release takes colours,
                "colour" and "second_colour" are `#rrggbb`.
            temper: scales the latents, all alike or each by its own; below 1 gives more ordinary
                and cleaner images, with less variety. After two minutes on Fashion-MNIST 0.7 raised
                the share classified as asked from 86% to 93%, for a fifth less spread within a
                class.
            blends: for each image the (seed, weight) pairs whose latents make up its own, as
                `latents.blend` adds them; None paints each seed's own latent.

        Returns:
            uint8 [n, height, width, channels]

        Raises:
            InvalidInputError: an attribute or value that was not trained, a seed out of range,
                no colour code, or lists of unequal length.
        """
        if len(seeds) != len(conditions):
            raise InvalidInputError(
                f"Each seed needs its condition; got {len(seeds)} and {len(conditions)}."
            )
        labels, colours = self._filled(conditions, seeds)
        if blends is None:
            points = latents.draw(seeds, self.latent)
        else:
            points = latents.blend(blends, self.latent)
        points *= np.broadcast_to(np.asarray(temper, np.float32), len(seeds))[:, np.newaxis]
        return self.paint(points, labels, colours)

    def paint(
        self,
        points: NDArray[np.float32],
        labels: NDArray[np.int32],
        colours: NDArray[np.float32],
    ) -> NDArray[np.uint8]:
        """Return the images of latents and conditions, nothing drawn or filled in.

        Args:
            points: latents, float32 [n, latent].
            labels: int32 [n, attributes], -1 for not asked.
            colours: CIELAB float32 [n, slots, 3], NaN for not asked.

        Returns:
            uint8 [n, height, width, channels]
        """
        step = self.chunk
        chunks = [
            self._chunk(points[i : i + step], labels[i : i + step], colours[i : i + step])
            for i in range(0, len(points), step)
        ]
        frame = self.anatomy.frame
        none = np.zeros((0, frame.height, frame.width, self.channels), np.uint8)
        return frame.outward(np.concatenate(chunks)) if chunks else none

    def complete(
        self, seeds: Sequence[int], conditions: Sequence[Mapping[str, str]]
    ) -> list[dict[str, str]]:
        """Return the conditions as `generate` uses them, with what was left open as it is drawn.

        An attribute that the drawn garment does not have either stays left out.

        Raises:
            InvalidInputError: an attribute or value that was not trained.
        """
        labels, colours = self._filled(conditions, seeds)
        return [
            {**self._told(codes), **_tinted(tints)}
            for codes, tints in zip(labels.tolist(), colours, strict=True)
        ]

    def _told(self, codes: Sequence[int]) -> dict[str, str]:
        named = zip(self.vocabulary.items(), codes, strict=True)
        return {name: values[code] for (name, values), code in named if code >= 0}

    def _filled(
        self, conditions: Sequence[Mapping[str, str]], seeds: Sequence[int]
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        combinations = self.anatomy.combinations
        labels, colours = self._codes(conditions)
        filled = combinations.fill(labels, seeds)
        return filled, _as_told(combinations.tint(colours, filled, seeds))

    def _chunk(
        self,
        points: NDArray[np.float32],
        labels: NDArray[np.int32],
        colours: NDArray[np.float32],
    ) -> NDArray[np.uint8]:
        missing = self.chunk - len(points)
        z = np.pad(points, ((0, missing), (0, 0)))
        filled = np.pad(labels, ((0, missing), (0, 0)), constant_values=-1)
        tints = np.pad(colours, ((0, missing), (0, 0), (0, 0)), constant_values=np.nan)
        images = self._forward(tf.constant(z), tf.constant(filled), tf.constant(tints)).numpy()
        return grid.to_bytes(images[: len(points)])

    def _codes(
        self, conditions: Sequence[Mapping[str, str]]
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        labels = np.full((len(conditions), len(self.vocabulary)), -1, np.int32)
        colours = np.full((len(conditions), self.slots, 3), np.nan, np.float32)
        tinted = COLOUR_NAMES[: self.slots]
        for row, condition in enumerate(conditions):
            for attribute, value in condition.items():
                if attribute in tinted and self._is_tint(attribute, value):
                    colours[row, tinted.index(attribute)] = hex_to_lab(value)
                else:
                    column = self._position("attribute", attribute, tuple(self.vocabulary))
                    labels[row, column] = self._position(
                        f"value of {attribute!r}", value, self.vocabulary[attribute]
                    )
        return labels, colours

    def _is_tint(self, attribute: str, value: str) -> bool:
        """A label attribute may be called `colour` too; its values are names, not codes."""
        return attribute not in self.vocabulary or value.startswith("#")

    @staticmethod
    def _position(kind: str, name: str, allowed: tuple[str, ...]) -> int:
        if name not in allowed:
            raise InvalidInputError(
                f"This release knows no {kind} {name!r}. Allowed: {', '.join(allowed) or 'none'}.",
                allowed=list(allowed),
            )
        return allowed.index(name)


def load_generator(files: Mapping[str, bytes]) -> Generator:
    """Build a generator from a release's files; generator.npz and generator.json are enough.

    Raises:
        ReleaseCorruptError: a file is missing, damaged, of a later format, or does not fit.
    """
    with _as_corrupt():
        anatomy = read_anatomy(files)
        network = build_generator(anatomy.preset, anatomy.hyper, anatomy.shape)
        network.set_weights(unpacked(files["generator.npz"]))
        return Generator(network, anatomy)


def load_networks(files: Mapping[str, bytes]) -> tuple[Anatomy, Any, Any | None]:
    """Build what a later training can go on from.

    Returns:
        The anatomy, the generator network, and the critic; None where the release has none.

    Raises:
        ReleaseCorruptError: a file is missing, damaged, of a later format, or does not fit.
    """
    with _as_corrupt():
        anatomy = read_anatomy(files)
        preset = preset_of(anatomy.preset)
        generator = preset.generator(anatomy.hyper, anatomy.shape)
        generator.set_weights(unpacked(files["generator.npz"]))
        critic = None
        if "critic.npz" in files:
            critic = preset.critic(anatomy.hyper, anatomy.shape)
            critic.set_weights(unpacked(files["critic.npz"]))
        return anatomy, generator, critic


def read_anatomy(files: Mapping[str, bytes]) -> Anatomy:
    """Read generator.json and look that the weights are those that it names."""
    config = json.loads(files["generator.json"])
    if config["format"] not in READABLE:
        raise ReleaseCorruptError(
            f"This release has format {config['format']}; this version reads "
            f"{' and '.join(map(str, READABLE))}."
        )
    if hashlib.sha256(files["generator.npz"]).hexdigest() != config["weights_sha256"]:
        raise ReleaseCorruptError("generator.npz is not the file that generator.json names.")
    return Anatomy.from_dict(config)


def unpacked(data: bytes) -> list[NDArray[np.float32]]:
    """Return the arrays of an .npz in the order of their names."""
    arrays = unpack(data)
    return [arrays[name] for name in sorted(arrays)]


def _packed(arrays: Sequence[NDArray[np.float32]]) -> bytes:
    return pack({f"{i:03d}": array for i, array in enumerate(arrays)})


def _as_told(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return colours as their codes tell them: a condition that was told must give the same again.

    CIELAB float32 [n, slots, 3] -> the same; NaN stays.
    """
    told = colours.copy()
    known = ~np.isnan(colours).any(axis=2)
    if known.any():
        told[known] = np.stack([hex_to_lab(lab_to_hex(lab)) for lab in colours[known]])
    return told


def _tinted(colours: NDArray[np.float32]) -> dict[str, str]:
    named = zip(COLOUR_NAMES, colours, strict=False)
    return {name: lab_to_hex(lab) for name, lab in named if not np.isnan(lab).any()}


@contextmanager
def _as_corrupt() -> Iterator[None]:
    """Turn whatever a damaged file leads to into one error."""
    try:
        yield
    except (
        InvalidInputError,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        OSError,
        zipfile.BadZipFile,
    ) as problem:
        raise ReleaseCorruptError(
            f"The release cannot be read ({type(problem).__name__}: {problem}). "
            "Fetch its files again, or train anew."
        ) from problem

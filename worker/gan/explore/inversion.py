"""Inversion: the latent and the condition from which a release paints a given picture.

In-domain (Zhu et al. 2020, arXiv 2004.00049): an encoder gives the start, then Adam moves the
latent so that picture and painting agree in pixels and in features, while the encoder must still
read the same latent from the painting. Without that last term a latent is found that paints the
picture and means nothing: moving it along a direction no longer edits the garment.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from shared.errors import InvalidInputError
from shared.pictures.resize import to_channels
from worker.gan.explore import encoder as encoders
from worker.gan.explore import pictures
from worker.gan.explore.candidates import likely
from worker.gan.explore.encoder import Encoder
from worker.gan.explore.ports import Painter, check_colours, check_labels, unknown_colours
from worker.pictures.colours import main_and_second, measure_colours

ROWS = 128
"""Paintings refined at once; more would not be faster on a CPU."""


@dataclass(frozen=True)
class Effort:
    """How much is spent on an inversion, and what weighs how much.

    Attributes:
        encoder_steps: updates of the encoder, once a release.
        encoder_batch: generated images in each.
        encoder_rate: its first learning rate.
        tried: conditions tried for each picture, the likeliest by the encoder first.
        try_steps: updates of each one's latent before the best is taken.
        steps: updates of the best one's latent.
        rate: of these updates, at first; it falls to nothing along half a cosine.
        features: weight of the features' distance (0..4) beside the squared pixel error (0..4).
        domain: weight of what the encoder reads differently from the painting, squared.
        prior: weight of the latent's mean square: 1 is what trained latents have.
    """

    encoder_steps: int = 1000
    encoder_batch: int = 32
    encoder_rate: float = 2e-3
    tried: int = 16
    try_steps: int = 40
    steps: int = 300
    rate: float = 0.1
    features: float = 0.05
    domain: float = 0.01
    prior: float = 0.002

    def __post_init__(self) -> None:
        least = {"encoder_steps": 0, "encoder_batch": 1, "tried": 1, "try_steps": 0, "steps": 0}
        for name, floor in least.items():
            if getattr(self, name) < floor:
                raise InvalidInputError(
                    f"An inversion's {name} is at least {floor}; got {getattr(self, name)}."
                )


@dataclass(frozen=True)
class Inversion:
    """What was found for each of n pictures.

    Attributes:
        latents: float32 [n, latent].
        labels: int32 [n, attributes], -1 where nothing is asked.
        colours: CIELAB float32 [n, slots, 3], NaN where unknown.
        originals: the pictures as they were fitted, uint8 [n, height, width, channels].
        images: what the release paints, as `originals`.
        errors: float32 [n], root mean square difference of the two in grey levels, 0..255.
        shares: float32 [n], errors over the catalog's typical distance between neighbours, where
            that was given; else None. Well below 1, the picture was found, and not one like it.
        lengths: float32 [n], root mean square of each latent; far above 1 is out of the domain.
    """

    latents: NDArray[np.float32]
    labels: NDArray[np.int32]
    colours: NDArray[np.float32]
    originals: NDArray[np.uint8]
    images: NDArray[np.uint8]
    errors: NDArray[np.float32]
    shares: NDArray[np.float32] | None
    lengths: NDArray[np.float32]


class Inverter:
    """A release with its encoder; inverts any number of pictures. Not for threads at once."""

    def __init__(self, painter: Painter, encoder: Encoder, *, effort: Effort) -> None:
        self._painter = painter
        self._encoder = encoder
        self._effort = effort
        rows = tf.TensorSpec((None, painter.latent), tf.float32)
        side = painter.anatomy.frame.side
        pictured = tf.TensorSpec((None, side, side, painter.channels), tf.float32)
        self._step = tf.function(
            self._improve,
            input_signature=[
                (rows, rows, rows, rows, tf.TensorSpec((None,), tf.float32)),
                tf.TensorSpec((2,), tf.float32),
                pictured,
                tf.TensorSpec(encoder.features_shape, tf.float32),
                tf.TensorSpec((None, len(painter.vocabulary)), tf.int32),
                tf.TensorSpec((None, painter.slots, 3), tf.float32),
            ],
        )

    @classmethod
    def fit(cls, painter: Painter, *, effort: Effort | None = None, seed: int = 0) -> Self:
        """Train the encoder; the same release, effort and seed give the same inverter.

        Args:
            painter: a loaded release.
            effort: None takes the usual one.
            seed: 0 to 2**31 - 1 - POOL.
        """
        spent = effort or Effort()
        trained = encoders.fit(
            painter,
            steps=spent.encoder_steps,
            batch=spent.encoder_batch,
            rate=spent.encoder_rate,
            seed=seed,
        )
        return cls(painter, trained, effort=spent)

    def invert(
        self,
        images: Sequence[NDArray[np.uint8]],
        *,
        labels: NDArray[np.int32] | None = None,
        colours: NDArray[np.float32] | None = None,
        neighbour_distance: float | None = None,
    ) -> Inversion:
        """Find latent and condition of each picture.

        Args:
            images: uint8 [height, width, 1, 3 or 4] each, of any size; they are resized whole
                onto white, to the size of the release's own.
            labels: int32 [n, attributes], -1 where open; None leaves all open. What is open is
                the best among the label values, tried.
            colours: CIELAB [n, slots, 3], NaN where unknown; None measures them.
            neighbour_distance: what a garment of the catalog typically differs from the one most
                like it, root mean square in grey levels; the errors are told as shares of it.

        Raises:
            InvalidInputError: arrays of other shapes, or a distance that is not above zero.
        """
        if neighbour_distance is not None and not neighbour_distance > 0:
            raise InvalidInputError(
                f"A distance between neighbours is above zero; got {neighbour_distance}."
            )
        originals = self._fitted(images)
        count = len(originals)
        asked = np.full((count, len(self._painter.vocabulary)), -1, np.int32)
        asked = asked if labels is None else check_labels(self._painter, labels, count)
        squares = self._painter.anatomy.frame.inward(originals)
        shades = self._shades(squares, colours)
        points, found = self._search(squares.astype(np.float32) / 127.5 - 1.0, asked, shades)
        made = self._painter.paint(points, found, shades)
        errors = distance(originals, made)
        shares = None if neighbour_distance is None else errors / np.float32(neighbour_distance)
        lengths = np.sqrt(np.mean(points**2, axis=1))
        return Inversion(points, found, shades, originals, made, errors, shares, lengths)

    def _fitted(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
        frame, channels = self._painter.anatomy.frame, self._painter.channels
        size = (frame.width, frame.height)
        fitted = [pictures.fit(image, size=size, channels=channels) for image in images]
        none = np.zeros((0, frame.height, frame.width, channels), np.uint8)
        return np.stack(fitted) if fitted else none

    def _shades(
        self, squares: NDArray[np.uint8], colours: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        if colours is not None:
            return check_colours(self._painter, colours, len(squares))
        if self._painter.slots == 0:
            return unknown_colours(len(squares), 0)
        measured = measure_colours(to_channels(squares, pictures.RGB))
        return main_and_second(each.palette for each in measured)

    def _search(
        self, targets: NDArray[np.float32], asked: NDArray[np.int32], shades: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Work through the pictures in parts of about `ROWS` candidates."""
        points = np.zeros((len(targets), self._painter.latent), np.float32)
        found = asked.copy()
        part = max(1, ROWS // self._effort.tried)
        for start in range(0, len(targets), part):
            rows = slice(start, start + part)
            points[rows], found[rows] = self._search_part(targets[rows], asked[rows], shades[rows])
        return points, found

    def _search_part(
        self, targets: NDArray[np.float32], asked: NDArray[np.int32], shades: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Refine every likely condition a little, and the best of each picture to the end."""
        starts, scores, _ = (part.numpy() for part in self._encoder(tf.constant(targets)))
        values = self._encoder.values
        each = [
            likely(row, given, values, most=self._effort.tried)
            for row, given in zip(scores, asked, strict=True)
        ]
        owners = np.repeat(np.arange(len(each)), [len(rows) for rows in each])
        labels = np.concatenate(each)
        points = starts[owners]
        if len(owners) > len(each):
            points, losses = self._refine(
                points, targets[owners], labels, shades[owners], steps=self._effort.try_steps
            )
            best = [
                np.flatnonzero(owners == i)[losses[owners == i].argmin()] for i in range(len(each))
            ]
            points, labels = points[best], labels[best]
        points, _ = self._refine(points, targets, labels, shades, steps=self._effort.steps)
        return points, labels

    def _refine(
        self,
        points: NDArray[np.float32],
        targets: NDArray[np.float32],
        labels: NDArray[np.int32],
        shades: NDArray[np.float32],
        *,
        steps: int,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the best latents on the way, and what each still costs."""
        start = tf.constant(points)
        nothing = tf.zeros_like(start)
        state: Any = (start, nothing, nothing, start, tf.fill((len(points),), np.float32(np.inf)))
        pictured = tf.constant(targets)
        wanted = self._encoder(pictured)[2]
        fixed = (pictured, wanted, tf.constant(labels), tf.constant(shades))
        # One step more than asked: it only costs the last latents, for the best to be known.
        for step in range(steps + 1):
            rate = self._effort.rate * 0.5 * (1.0 + math.cos(math.pi * step / max(1, steps)))
            state = self._step(state, tf.constant([rate, step + 1], tf.float32), *fixed)
        return state[3].numpy(), state[4].numpy()

    def _improve(
        self,
        state: tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor],
        schedule: tf.Tensor,
        targets: tf.Tensor,
        wanted: tf.Tensor,
        labels: tf.Tensor,
        shades: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """One update of Adam (Kingma & Ba 2015, arXiv 1412.6980), each picture by itself."""
        points, first, second, best, least = state
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(points)
            costs = self._costs(points, targets, wanted, labels, shades)
        slope = tape.gradient(costs, points)
        better = costs < least
        best = tf.where(better[:, tf.newaxis], points, best)
        rate, number = tf.unstack(schedule)
        first = 0.9 * first + 0.1 * slope
        second = 0.99 * second + 0.01 * tf.square(slope)
        heading = first / (1.0 - 0.9**number)
        roughness = tf.sqrt(second / (1.0 - 0.99**number)) + 1e-8
        return points - rate * heading / roughness, first, second, best, tf.minimum(costs, least)

    def _costs(
        self,
        points: tf.Tensor,
        targets: tf.Tensor,
        wanted: tf.Tensor,
        labels: tf.Tensor,
        shades: tf.Tensor,
    ) -> tf.Tensor:
        """[n]: pixels, features, domain and prior, weighed."""
        made = self._painter.network(points, labels, shades, training=False)
        read, _, features = self._encoder(made)
        pixels = tf.reduce_mean(tf.square(made - targets), axis=(1, 2, 3))
        look = tf.reduce_mean(tf.reduce_sum(tf.square(features - wanted), axis=3), axis=(1, 2))
        domain = tf.reduce_mean(tf.square(points - read), axis=1)
        prior = tf.reduce_mean(tf.square(points), axis=1)
        effort = self._effort
        return pixels + effort.features * look + effort.domain * domain + effort.prior * prior


def distance(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the root mean square difference of pictures in grey levels, 0..255, [n]."""
    away = one.astype(np.float32) - other.astype(np.float32)
    return np.asarray(np.sqrt(np.mean(away**2, axis=(1, 2, 3))), np.float32)

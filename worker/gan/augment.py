"""Random changes to images inside the compiled step, in plain operations.

Keras' augmentation layers do not compile under XLA; these do, and have second derivatives. Real
and generated images are changed alike before the discriminator sees them (DiffAugment, Zhao et
al. 2020, arXiv 2006.10738), so the generator does not learn to change. Each image is changed with
a chance that follows how far the discriminator has learned its garments by heart (after ADA,
Karras et al. 2020, arXiv 2006.06676).
"""

from typing import Any

import tensorflow as tf

from worker.gan.recipe import Hyperparameters

EVEN = 0.5


def mirror(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Mirror each image left to right, or not, with even chances."""
    chance = tf.random.stateless_uniform((tf.shape(images)[0], 1, 1, 1), seed)
    return tf.where(chance < EVEN, tf.reverse(images, [2]), images)


def augment(images: tf.Tensor, seed: tf.Tensor, hyper: Hyperparameters, chance: Any) -> tf.Tensor:
    """Change images as the settings say, each change with its own draw of `chance`.

    Args:
        images: [n, side, side, channels] in [-1, 1].
        seed: int64 [2]; the same seed changes another batch of that size alike.
        hyper: which changes, and how far.
        chance: 0..1, of each change to each image.
    """
    seeds = tf.unstack(tf.random.experimental.stateless_split(seed, 3))
    if hyper.recolour:
        images = recolour(images, seeds[2], chance)
    if hyper.shift > 0:
        images = shift(images, seeds[0], hyper.shift, chance)
    if hyper.cutout > 0:
        images = cutout(images, seeds[1], hyper.cutout, chance)
    return images


def shift(images: tf.Tensor, seed: tf.Tensor, furthest: float, chance: Any = 1.0) -> tf.Tensor:
    """Move each image by whole px, up to `furthest` of its side each way; edges are repeated.

    Moving is a product with a 0/1 matrix: cheap, exact, and differentiable twice. Edges are
    repeated and not filled with grey, because shop photos stand on white.
    """
    side = images.shape[1]
    reach = max(1, round(furthest * side))
    count = tf.shape(images)[0]
    steps = tf.random.stateless_uniform(
        (2, count), seed, minval=-reach, maxval=reach + 1, dtype=tf.int32
    )
    steps *= tf.cast(_chosen((count,), seed + 1, chance), tf.int32)
    source = tf.clip_by_value(tf.range(side) + steps[:, :, tf.newaxis], 0, side - 1)
    down, across = tf.unstack(tf.one_hot(source, side, dtype=images.dtype))
    images = tf.einsum("bij,bjwc->biwc", down, images)
    return tf.einsum("bij,bhjc->bhic", across, images)


def cutout(images: tf.Tensor, seed: tf.Tensor, share: float, chance: Any = 1.0) -> tf.Tensor:
    """Blank a square of `share` of the side with mid-grey, anywhere, also over an edge."""
    side = images.shape[1]
    half = share * side / 2
    count = tf.shape(images)[0]
    middle = tf.random.stateless_uniform((2, count, 1), seed, maxval=float(side))
    away = tf.abs(tf.range(side, dtype=tf.float32) + EVEN - middle)
    down, across = tf.unstack(away < half)
    chosen = _chosen((count, 1, 1), seed + 1, chance)
    hole = down[:, :, tf.newaxis] & across[:, tf.newaxis, :] & chosen
    return tf.where(hole[..., tf.newaxis], tf.zeros((), images.dtype), images)


def recolour(images: tf.Tensor, seed: tf.Tensor, chance: Any = 1.0) -> tf.Tensor:
    """Change brightness by a quarter of the range, saturation to 0..2, contrast by half."""
    count = tf.shape(images)[0]
    draws = tf.random.stateless_uniform((3, count, 1, 1, 1), seed, dtype=images.dtype)
    chosen = tf.cast(_chosen((count, 1, 1, 1), seed + 1, chance), images.dtype)
    brighter, livelier, starker = tf.unstack(draws - EVEN)
    images += chosen * brighter
    grey = tf.reduce_mean(images, axis=3, keepdims=True)
    images = grey + (images - grey) * (1.0 + 2.0 * chosen * livelier)
    middle = tf.reduce_mean(images, axis=(1, 2, 3), keepdims=True)
    return middle + (images - middle) * (1.0 + chosen * starker)


def _chosen(shape: tuple[Any, ...], seed: tf.Tensor, chance: Any) -> tf.Tensor:
    return tf.random.stateless_uniform(shape, seed) < tf.cast(chance, tf.float32)

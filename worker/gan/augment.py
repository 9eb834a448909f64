"""Random changes to images inside the compiled step, in plain operations.

Keras' augmentation layers do not compile under XLA; these do, and have second derivatives.
"""

import tensorflow as tf


def mirror(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Mirror each image left to right, or not, with even chances."""
    chance = tf.random.stateless_uniform((tf.shape(images)[0], 1, 1, 1), seed)
    return tf.where(chance < 0.5, tf.reverse(images, [2]), images)  # noqa: PLR2004 - even chances


def shift(images: tf.Tensor, seed: tf.Tensor, furthest: float) -> tf.Tensor:
    """Move each image by whole px, up to `furthest` of its side each way; edges are repeated.

    Real and generated images are moved alike before the discriminator sees them (DiffAugment,
    Zhao et al. 2020, arXiv 2006.10738), so the generator does not learn to shift. Moving is a
    product with a 0/1 matrix: cheap, exact, and differentiable twice. Edges are repeated and not
    filled with grey, because shop photos stand on white.
    """
    side = images.shape[1]
    reach = max(1, round(furthest * side))
    steps = tf.random.stateless_uniform(
        (2, tf.shape(images)[0]), seed, minval=-reach, maxval=reach + 1, dtype=tf.int32
    )
    source = tf.clip_by_value(tf.range(side) + steps[:, :, tf.newaxis], 0, side - 1)
    down, across = tf.unstack(tf.one_hot(source, side, dtype=images.dtype))
    images = tf.einsum("bij,bjwc->biwc", down, images)
    return tf.einsum("bij,bhjc->bhic", across, images)

"""The relativistic pairing loss and the penalties on the discriminator's slope."""

import tensorflow as tf


def discriminator_loss(real: tf.Tensor, generated: tf.Tensor) -> tf.Tensor:
    """Mean of softplus(-(real - generated)) over pairs that share their labels, [n] each -> [].

    Relativistic pairing: Jolicoeur-Martineau 2018, arXiv 1807.00734; as used by R3GAN.
    """
    return tf.reduce_mean(tf.nn.softplus(generated - real))


def generator_loss(real: tf.Tensor, generated: tf.Tensor) -> tf.Tensor:
    """The same with the sides changed: the generated one of a pair should look more real."""
    return tf.reduce_mean(tf.nn.softplus(real - generated))


def slope_penalty(slope: tf.Tensor) -> tf.Tensor:
    """Mean squared length of the logit's gradient by the image, [n, h, w, c] -> [].

    On real images this is R1, on generated ones R2 (Mescheder et al. 2018, arXiv 1801.04406).
    """
    return tf.reduce_mean(tf.reduce_sum(tf.square(tf.cast(slope, tf.float32)), axis=(1, 2, 3)))

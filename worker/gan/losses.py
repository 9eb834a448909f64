"""What the networks are taught by: losses on logits, penalties on slopes, colours, likelihoods."""

import tensorflow as tf

from worker.gan import tint


def relativistic_discriminator(real: tf.Tensor, generated: tf.Tensor) -> tf.Tensor:
    """Mean of softplus(-(real - generated)) over pairs that share their labels, [n] each -> [].

    Relativistic pairing: Jolicoeur-Martineau 2018, arXiv 1807.00734; as used by R3GAN.
    """
    return tf.reduce_mean(tf.nn.softplus(generated - real))


def relativistic_generator(real: tf.Tensor, generated: tf.Tensor) -> tf.Tensor:
    """The same with the sides changed: the generated one of a pair should look more real."""
    return tf.reduce_mean(tf.nn.softplus(real - generated))


def slope_penalty(slope: tf.Tensor) -> tf.Tensor:
    """Mean squared length of the logit's gradient by the image, [n, h, w, c] -> [].

    On real images this is R1, on generated ones R2 (Mescheder et al. 2018, arXiv 1801.04406).
    """
    return tf.reduce_mean(tf.reduce_sum(tf.square(tf.cast(slope, tf.float32)), axis=(1, 2, 3)))


def plain_discriminator(real: tf.Tensor, generated: tf.Tensor) -> tf.Tensor:
    """Binary cross-entropy of each alone, the mean of both sides (Goodfellow et al. 2014)."""
    return tf.reduce_mean(tf.nn.softplus(-real)) + tf.reduce_mean(tf.nn.softplus(generated))


def plain_generator(real: tf.Tensor, generated: tf.Tensor) -> tf.Tensor:  # noqa: ARG001 - the same form as the relativistic one
    """The form that does not saturate: generated ones should look real."""
    return tf.reduce_mean(tf.nn.softplus(-generated))


def mismatch(right: tf.Tensor, wrong: tf.Tensor) -> tf.Tensor:
    """Mean of softplus(-(right - wrong)): the same image with its own labels and with another's.

    A matching-aware discriminator (Reed et al. 2016, arXiv 1605.05396) in the pairing form. The
    features are shared, so that the second verdict costs one product.
    """
    return tf.reduce_mean(tf.nn.softplus(wrong - right))


def colour_excess(real: tf.Tensor, generated: tf.Tensor, colours: tf.Tensor) -> tf.Tensor:
    """How much farther generated garments are from their colours than real ones are, CIELAB units.

    The real garment of a pair carries the same condition, so that its own distance (folds, prints,
    shadows) is what can be expected; only what is above it is punished.

    Args:
        real: [n, h, w, 3] in [-1, 1].
        generated: the same, each of a pair with the real one in its place.
        colours: [n, 2, 3], NaN where unknown; garments without a main colour count nothing.
    """
    known = tf.logical_not(tf.reduce_any(tf.math.is_nan(colours[:, 0]), axis=1))
    expected = tf.stop_gradient(tint.distance(real, colours))
    excess = tf.nn.relu(tint.distance(generated, colours) - expected)
    excess = tf.reduce_sum(excess, axis=1)
    counted = tf.where(known, excess, tf.zeros_like(excess))
    return tf.reduce_sum(counted) / tf.maximum(tf.reduce_sum(tf.cast(known, tf.float32)), 1.0)


def divergence(mean: tf.Tensor, log_variance: tf.Tensor) -> tf.Tensor:
    """Kullback-Leibler divergence from the standard normal, [n, latent] each -> mean of [n]."""
    terms = tf.square(mean) + tf.exp(log_variance) - log_variance - 1.0
    return 0.5 * tf.reduce_mean(tf.reduce_sum(terms, axis=1))


def reconstruction(images: tf.Tensor, made: tf.Tensor) -> tf.Tensor:
    """Gaussian negative log-likelihood at its best common variance, up to a constant.

    The variance need not be chosen (Rybkin et al. 2021, arXiv 2006.13202): D/2 · log of the mean
    squared error, D numbers in an image.
    """
    numbers = tf.cast(tf.reduce_prod(tf.shape(images)[1:]), tf.float32)
    return 0.5 * numbers * tf.math.log(tf.reduce_mean(tf.square(images - made)) + 1e-6)

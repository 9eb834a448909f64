"""The colours of images in the graph: CIELAB, where the garment is, how far it is from colours.

A soft, differentiable sibling of `worker.pictures.colours`, which measures what stands on record.
"""

from typing import Final

import tensorflow as tf

# IEC 61966-2-1 (sRGB, D65) to XYZ over the white point; transposed for row vectors.
_TO_XYZ: Final = (
    (0.4124564 / 0.95047, 0.2126729, 0.0193339 / 1.08883),
    (0.3575761 / 0.95047, 0.7151522, 0.1191920 / 1.08883),
    (0.1804375 / 0.95047, 0.0721750, 0.9503041 / 1.08883),
)
_EPSILON: Final = 216 / 24389  # where CIELAB turns from cube root to straight line (CIE 15)
_KAPPA: Final = 24389 / 27

SIDE: Final = 16
"""px, about: colour is looked at on a small picture; folds and threads average out."""

GROUND_REACH, GROUND_EDGE = 12.0, 4.0
"""CIELAB units from the border's colour at which a pixel is half garment, and how softly."""

FARTHEST = 40.0
"""CIELAB units beyond which a wrong colour is not more wrong: prints and logos stay bounded."""


def lab(images: tf.Tensor) -> tf.Tensor:
    """SRGB in [-1, 1], [..., 3] -> CIELAB [..., 3], float32; differentiable everywhere."""
    encoded = tf.clip_by_value(0.5 * (tf.cast(images, tf.float32) + 1.0), 0.0, 1.0)
    high = ((tf.maximum(encoded, 0.04045) + 0.055) / 1.055) ** 2.4
    linear = tf.where(encoded <= 0.04045, encoded / 12.92, high)  # noqa: PLR2004 - the standard's constant
    xyz = tf.linalg.matmul(linear, tf.constant(_TO_XYZ))
    root = tf.maximum(xyz, _EPSILON) ** (1.0 / 3.0)
    curved = tf.where(xyz > _EPSILON, root, (_KAPPA * xyz + 16.0) / 116.0)
    x, y, z = tf.unstack(curved, axis=-1)
    return tf.stack([116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)], axis=-1)


def garment(labs: tf.Tensor) -> tf.Tensor:
    """CIELAB [n, side, side, 3] -> how much each pixel is garment, 0..1, [n, side, side].

    The ground is what is like the border's mean colour; pixels towards the middle count for more.
    """
    side = labs.shape[1]
    edge = tf.concat(
        [labs[:, 0], labs[:, -1], labs[:, :, 0], labs[:, :, -1]], axis=1
    )  # fmt: skip
    ground = tf.reduce_mean(edge, axis=1)[:, tf.newaxis, tf.newaxis]
    away = tf.sqrt(tf.reduce_sum(tf.square(labs - ground), axis=3) + 1e-3)
    along = (tf.range(side, dtype=tf.float32) + 0.5) / side - 0.5
    bell = tf.exp(-8.0 * tf.square(along))
    middle = bell[:, tf.newaxis] * bell[tf.newaxis]
    # Where all is like the border (a white shirt on white), the middle still counts a little.
    return middle * (0.05 + 0.95 * tf.sigmoid((away - GROUND_REACH) / GROUND_EDGE))


def distance(images: tf.Tensor, colours: tf.Tensor) -> tf.Tensor:
    """How far garments are from their colours, in CIELAB units (CIE76), at most FARTHEST.

    Args:
        images: [n, h, w, 3] in [-1, 1].
        colours: [n, 2, 3], main and second; NaN where unknown.

    Returns:
        [n, 2]: the mean over the garment of the distance to the nearer of its colours, and the
        distance of the nearer half of the garment to the main one.
    """
    pool = max(1, images.shape[1] // SIDE)
    labs = lab(tf.nn.avg_pool2d(images, pool, pool, "SAME"))
    count = labs.shape[1] * labs.shape[2]
    weights = tf.reshape(tf.stop_gradient(garment(labs)), (-1, count))
    weights /= tf.reduce_sum(weights, axis=1, keepdims=True)
    pixels = tf.reshape(labs, (-1, count, 1, 3))
    known = tf.logical_not(tf.math.is_nan(colours))
    asked = tf.where(known, colours, 1e3)[:, tf.newaxis]
    away = tf.sqrt(tf.reduce_sum(tf.square(pixels - asked), axis=3) + 1e-3)
    away = FARTHEST * tf.tanh(away / FARTHEST)
    nearest = tf.reduce_sum(weights * tf.reduce_min(away, axis=2), axis=1)
    order = tf.argsort(away[:, :, 0], axis=1)
    main, shares = (tf.gather(v, order, batch_dims=1) for v in (away[:, :, 0], weights))
    half = tf.cast(tf.cumsum(shares, axis=1, exclusive=True) < 0.5, tf.float32) * shares  # noqa: PLR2004 - half
    return tf.stack([nearest, tf.reduce_sum(half * main, axis=1) / tf.reduce_sum(half, axis=1)], 1)

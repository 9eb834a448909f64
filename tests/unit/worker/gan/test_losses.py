import numpy as np
import pytest
import tensorflow as tf

from shared.colour import srgb_to_lab
from worker.gan import losses, tint

NOTHING = [float("nan")] * 3


def picture(rgb: tuple[int, int, int]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """A square of one colour on white, [32, 32, 3] in [-1, 1]."""
    image = np.ones((32, 32, 3), np.float32)
    image[8:24, 8:24] = np.array(rgb, np.float32) / 127.5 - 1
    return image


def asked(rgb: tuple[int, int, int]) -> list[list[float]]:
    return [srgb_to_lab(np.array(rgb, np.uint8)).tolist(), NOTHING]


def test_colours_in_the_graph_are_those_on_record() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (100, 3)).astype(np.uint8)
    made = tint.lab(tf.constant(pixels.astype(np.float32) / 127.5 - 1)).numpy()
    assert np.abs(made - srgb_to_lab(pixels)).max() < 0.05


def test_a_garment_in_its_colour_is_near_it_and_in_another_far() -> None:
    images = tf.constant(np.stack([picture((200, 30, 40)), picture((30, 60, 200))]))
    colours = tf.constant([asked((200, 30, 40))] * 2)
    away = tint.distance(images, colours).numpy()
    assert away[0, 1] < 6
    assert away[1, 1] > 30


def test_only_what_is_farther_than_the_real_one_is_punished() -> None:
    red, blue = picture((200, 30, 40)), picture((30, 60, 200))
    colours = tf.constant([asked((200, 30, 40))])
    none = losses.colour_excess(tf.constant([blue]), tf.constant([red]), colours)
    much = losses.colour_excess(tf.constant([red]), tf.constant([blue]), colours)
    assert float(none) == 0
    assert float(much) > 20


def test_an_unknown_colour_costs_nothing() -> None:
    images = tf.constant([picture((200, 30, 40))])
    assert float(losses.colour_excess(images, -images, tf.constant([[NOTHING, NOTHING]]))) == 0


def test_the_colour_loss_pulls_towards_the_colour() -> None:
    images = tf.Variable([picture((120, 90, 60))])
    real, colours = tf.constant([picture((200, 30, 40))]), tf.constant([asked((200, 30, 40))])
    with tf.GradientTape() as tape:
        loss = losses.colour_excess(real, images, colours)
    slope = tape.gradient(loss, images).numpy()
    assert np.all(np.isfinite(slope))
    nearer = losses.colour_excess(real, images - 20 * slope, colours)
    assert float(nearer) < float(loss)


def test_a_likely_latent_costs_nothing() -> None:
    assert float(losses.divergence(tf.zeros((2, 4)), tf.zeros((2, 4)))) == 0
    assert float(losses.divergence(tf.ones((2, 4)), tf.zeros((2, 4)))) == pytest.approx(2.0)


def test_a_better_likeness_costs_less() -> None:
    images = tf.random.stateless_normal((2, 4, 4, 1), (1, 2))
    near, far = images + 0.1, images + 0.5
    assert float(losses.reconstruction(images, near)) < float(losses.reconstruction(images, far))


def test_an_image_that_is_judged_alike_with_any_labels_costs_log_two() -> None:
    logits = tf.constant([3.0, -1.0])
    assert float(losses.mismatch(logits, logits)) == pytest.approx(np.log(2))

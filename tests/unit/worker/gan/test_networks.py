from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from shared.errors import InvalidInputError
from worker.gan import augment, losses
from worker.gan.choices import Situation, resolve
from worker.gan.device import prepare
from worker.gan.networks.layers import Shape
from worker.gan.networks.registry import PRESETS, preset_of
from worker.gan.networks.residual import ResidualDiscriminator, ResidualGenerator
from worker.gan.recipe import Hyperparameters, Recipe

TINY = Shape(16, 3, (2, 2))
NONE = tf.zeros((1, 0, 3))


def hyper_for(preset: str, size: int) -> Hyperparameters:
    asked = Recipe(minutes=1, preset=preset)  # type: ignore[arg-type]  # one of them
    settled, _ = resolve(asked, Situation(size, 3, 50, 1, "cpu"))
    assert settled.hyper is not None
    return settled.hyper


@pytest.mark.parametrize("preset", sorted(PRESETS))
@pytest.mark.parametrize(("size", "channels", "slots"), [(16, 1, 0), (28, 1, 2), (36, 3, 2)])
def test_every_preset_takes_every_size_channel_count_and_condition(
    preset: str, size: int, channels: int, slots: int
) -> None:
    hyper, shape = hyper_for(preset, size), Shape(size, channels, (3, 2), slots)
    generator = PRESETS[preset].generator(hyper, shape)
    critic = PRESETS[preset].critic(hyper, shape)
    labels = tf.constant([[0, -1], [-1, 1]])
    colours = tf.constant([[[50.0, 20, 10], [np.nan] * 3], [[np.nan] * 3] * 2])[:, :slots]
    latents = tf.random.stateless_normal((2, hyper.latent), (0, 0))
    images = generator(latents, labels, colours)
    assert images.shape == (2, size, size, channels)
    told = critic(images, labels, colours)
    assert told.shape == ((2,) if PRESETS[preset].adversarial else (2, 2 * hyper.latent))
    assert np.all(np.isfinite(images.numpy()))
    assert np.all(np.isfinite(told.numpy()))
    assert generator.first_kernel.shape[0] > generator.latent == hyper.latent


@pytest.mark.parametrize("size", [100, 256])
def test_large_pictures_pass_through_the_residual_networks(size: int) -> None:
    hyper, shape = hyper_for("residual", size), Shape(size, 3, (2,))
    images = ResidualGenerator(hyper, shape)(tf.zeros((1, hyper.latent)), *shape.blank())
    assert images.shape == (1, size, size, 3)
    assert ResidualDiscriminator(hyper, shape)(images, *shape.blank()).shape == (1,)


def test_an_unknown_preset_is_named_with_the_known_ones() -> None:
    with pytest.raises(InvalidInputError, match="residual, dcgan, mlp, vae"):
        preset_of("biggan")


def test_an_unknown_label_leaves_the_verdict_to_the_image_alone(tiny: Hyperparameters) -> None:
    critic = ResidualDiscriminator(tiny, TINY)
    image = tf.random.stateless_normal((1, 16, 16, 3), (1, 2))
    unlabelled = critic(image, tf.constant([[-1, -1]]), NONE)
    plain = critic.verdict.verdict(critic.features_of(image))[:, 0]
    assert unlabelled.numpy() == pytest.approx(plain.numpy())
    assert critic(image, tf.constant([[1, -1]]), NONE).numpy() != pytest.approx(unlabelled.numpy())


def test_each_label_changes_what_is_made(tiny: Hyperparameters) -> None:
    generator = ResidualGenerator(tiny, TINY)
    latent, none = tf.ones((4, tiny.latent)), tf.zeros((4, 0, 3))
    made = generator(latent, tf.constant([[-1, -1], [0, -1], [1, -1], [-1, 0]]), none).numpy()
    assert len(np.unique(made.reshape(4, -1), axis=0)) == 4


def test_each_colour_changes_what_is_made_and_how_it_is_judged(tiny: Hyperparameters) -> None:
    shape = Shape(16, 3, (2,), 2)
    generator, critic = ResidualGenerator(tiny, shape), ResidualDiscriminator(tiny, shape)
    red, none = [50.0, 60, 40], [np.nan] * 3
    colours = tf.constant([[none, none], [red, none], [red, [20.0, 0, 0]], [[51.0, 60, 40], none]])
    labels = tf.zeros((4, 1), tf.int32)
    made = generator(tf.ones((4, tiny.latent)), labels, colours).numpy()
    assert len(np.unique(made.reshape(4, -1), axis=0)) == 4
    judged = critic(tf.ones((4, 16, 16, 3)), labels, colours).numpy()
    assert len(np.unique(judged)) == 4


def test_conditions_that_are_ramped_out_say_nothing(tiny: Hyperparameters) -> None:
    generator, critic = ResidualGenerator(tiny, TINY), ResidualDiscriminator(tiny, TINY)
    labels, none = tf.constant([[0, 1], [1, -1]]), tf.zeros((2, 0, 3))
    made = generator(tf.ones((2, tiny.latent)), labels, none, ramp=0.0).numpy()
    np.testing.assert_allclose(made[0], made[1], atol=1e-5)
    judged = critic(tf.ones((2, 16, 16, 3)), labels, none, ramp=0.0).numpy()
    assert judged[0] == pytest.approx(judged[1])


def test_networks_of_one_seed_are_equal_and_of_another_are_not(tiny: Hyperparameters) -> None:
    first, again, other = (
        ResidualGenerator(tiny, TINY, seed=seed).get_weights() for seed in (1, 1, 2)
    )
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[1], other[1])


def test_a_pair_that_is_told_apart_costs_the_generator_and_not_the_discriminator() -> None:
    real, generated = tf.constant([9.0]), tf.constant([-9.0])
    assert float(losses.relativistic_discriminator(real, generated)) == pytest.approx(0, abs=1e-6)
    assert float(losses.relativistic_generator(real, generated)) == pytest.approx(18, abs=1e-3)


def test_the_slope_penalty_is_the_mean_squared_length() -> None:
    slope = tf.constant(np.stack([np.full((2, 2, 1), 1.0), np.full((2, 2, 1), 3.0)]))
    assert float(losses.slope_penalty(slope)) == pytest.approx((4 * 1 + 4 * 9) / 2)


def test_mirroring_leaves_some_images_and_turns_the_others() -> None:
    images = tf.reshape(tf.range(64 * 4, dtype=tf.float32), (64, 1, 4, 1))
    turned = augment.mirror(images, tf.constant([1, 2])).numpy()
    same = (turned == images.numpy()).all(axis=(1, 2, 3))
    assert 10 < same.sum() < 54
    assert np.array_equal(turned[~same], images.numpy()[~same, :, ::-1])


def test_a_shift_moves_whole_pixels_and_repeats_the_edge() -> None:
    ramp = np.tile(np.arange(10, dtype=np.float32)[:, None], (1, 10))
    images = tf.constant(np.tile(ramp[None, :, :, None], (32, 1, 1, 1)))
    moved = augment.shift(images, tf.constant([3, 4]), 0.2).numpy()[..., 0]
    allowed = {tuple(np.clip(np.arange(10) + step, 0, 9)) for step in range(-2, 3)}
    columns = {tuple(image[:, 0].tolist()) for image in moved}
    assert columns <= allowed
    assert len(columns) > 1


def test_a_cutout_blanks_a_square_of_its_size_at_most() -> None:
    images = tf.ones((64, 20, 20, 3))
    holes = (augment.cutout(images, tf.constant([3, 4]), 0.5).numpy() == 0)[..., 0]
    assert 0 < holes.sum(axis=(1, 2)).max() <= 100
    assert len(np.unique(holes.argmax(axis=1))) > 1


def test_recolouring_keeps_shapes_and_changes_tones() -> None:
    images = tf.random.stateless_uniform((8, 10, 10, 3), (1, 1), -1, 1)
    changed = augment.recolour(images, tf.constant([5, 6])).numpy()
    assert changed.shape == images.shape
    assert not np.allclose(changed, images.numpy())


@pytest.mark.parametrize("change", ["shift", "cutout", "recolour"])
def test_with_no_chance_nothing_is_augmented(change: str) -> None:
    images = tf.random.stateless_uniform((8, 12, 12, 3), (1, 1), -1, 1)
    seed = tf.constant([5, 6])
    made = {
        "shift": lambda: augment.shift(images, seed, 0.3, 0.0),
        "cutout": lambda: augment.cutout(images, seed, 0.3, 0.0),
        "recolour": lambda: augment.recolour(images, seed, 0.0),
    }[change]()
    np.testing.assert_allclose(made.numpy(), images.numpy(), atol=1e-6)


def test_augmentations_have_second_derivatives(tiny: Hyperparameters) -> None:
    hyper = replace(tiny, shift=0.2, cutout=0.4, recolour=True)
    images = tf.random.stateless_uniform((4, 12, 12, 3), (1, 1), -1, 1)
    with tf.GradientTape() as outer:
        outer.watch(images)
        with tf.GradientTape() as inner:
            inner.watch(images)
            changed = augment.augment(images, tf.constant([5, 6], tf.int64), hyper, 0.7)
            total = tf.reduce_sum(changed**3)
        slope = tf.reduce_sum(inner.gradient(total, images) ** 2)
    assert np.all(np.isfinite(outer.gradient(slope, images).numpy()))


def test_the_device_is_named() -> None:
    assert prepare().name

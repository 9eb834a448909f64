import numpy as np
import pytest
import tensorflow as tf

from tests.unit.worker.gan.conftest import MakeGarments
from worker.gan import augment, losses
from worker.gan.device import Device, prepare
from worker.gan.networks import DiscriminatorNetwork, GeneratorNetwork
from worker.gan.recipe import Hyperparameters, Recipe, resolve
from worker.gan.trainer import Trainer

CPU = Device("cpu", "test", "float32", compiled=False)


def hyper_for(size: int) -> Hyperparameters:
    settled, _ = resolve(
        Recipe(minutes=1), size=size, channels=3, garments=50, imbalance=1, device="cpu"
    )
    assert settled.hyper is not None
    return settled.hyper


@pytest.mark.parametrize(
    ("size", "channels"), [(16, 1), (28, 1), (32, 3), (36, 3), (100, 1), (128, 3), (256, 3)]
)
def test_every_size_and_channel_count_passes_through_both_networks(
    size: int, channels: int
) -> None:
    hyper = hyper_for(size)
    generator = GeneratorNetwork(hyper, size=size, channels=channels, values=[3, 2])
    critic = DiscriminatorNetwork(hyper, size=size, channels=channels, values=[3, 2])
    labels = tf.constant([[0, -1], [-1, 1]])
    images = generator(tf.random.stateless_normal((2, hyper.latent), (0, 0)), labels)
    assert images.shape == (2, size, size, channels)
    assert critic(images, labels).shape == (2,)
    assert np.all(np.isfinite(images.numpy()))


def test_an_unknown_label_leaves_the_verdict_to_the_image_alone(tiny: Hyperparameters) -> None:
    critic = DiscriminatorNetwork(tiny, size=16, channels=3, values=[2, 2])
    image = tf.random.stateless_normal((1, 16, 16, 3), (1, 2))
    unlabelled = critic(image, tf.constant([[-1, -1]]))
    plain = critic.verdict(critic.features_of(image))[:, 0]
    assert unlabelled.numpy() == pytest.approx(plain.numpy())
    assert critic(image, tf.constant([[1, -1]])).numpy() != pytest.approx(unlabelled.numpy())


def test_each_label_changes_what_is_made(tiny: Hyperparameters) -> None:
    generator = GeneratorNetwork(tiny, size=16, channels=3, values=[2, 2])
    latent = tf.ones((4, tiny.latent))
    made = generator(latent, tf.constant([[-1, -1], [0, -1], [1, -1], [-1, 0]])).numpy()
    assert len(np.unique(made.reshape(4, -1), axis=0)) == 4


def test_networks_of_one_seed_are_equal_and_of_another_are_not(tiny: Hyperparameters) -> None:
    first, again, other = (
        GeneratorNetwork(tiny, size=16, channels=3, values=[2], seed=seed).get_weights()
        for seed in (1, 1, 2)
    )
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[1], other[1])


def test_a_pair_that_is_told_apart_costs_the_generator_and_not_the_discriminator() -> None:
    real, generated = tf.constant([9.0]), tf.constant([-9.0])
    assert float(losses.discriminator_loss(real, generated)) == pytest.approx(0, abs=1e-6)
    assert float(losses.generator_loss(real, generated)) == pytest.approx(18, abs=1e-3)


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


def test_a_step_runs_in_bfloat16_as_it_would_on_a_gpu(
    garments: MakeGarments, tiny: Hyperparameters
) -> None:
    half = Device("gpu", "pretended", "mixed_bfloat16", compiled=False)
    trainer = Trainer(tiny, garments(), seed=0, device=half)
    told = trainer.step(0, rate=1e-3, decay=0.9).numpy()
    assert np.all(np.isfinite(told))
    assert {v.dtype for v in trainer.generator.trainable_variables} == {"float32"}


def test_a_mapped_catalog_trains_like_one_in_memory(
    garments: MakeGarments, tiny: Hyperparameters, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = Trainer(tiny, garments(), seed=0, device=CPU)
    monkeypatch.setattr("worker.gan.trainer.MEMORY_LIMIT", 0)
    outside = Trainer(tiny, garments(), seed=0, device=CPU)
    assert outside.catalog is None
    draw = tf.constant([4, 2], tf.int64)
    assert np.array_equal(inside._draw(draw), outside._draw(draw))
    assert np.all(np.isfinite(outside.step(0, rate=1e-3, decay=0.9).numpy()))


def test_labels_are_hidden_as_often_as_the_settings_say(
    garments: MakeGarments, tiny: Hyperparameters
) -> None:
    trainer = Trainer(tiny, garments(), seed=0, device=CPU)
    labels = tf.zeros((2000, 2), tf.int32)
    images = tf.zeros((tiny.batch, 16, 16, 3), tf.uint8)
    seeds = tf.constant([[1, 2], [3, 4]])
    _, kept = trainer._prepare(images, labels, seeds[0], seeds[1])
    hidden = (kept.numpy() == -1).mean(axis=0)
    assert hidden == pytest.approx([tiny.null_chance, tiny.null_chance_others], abs=0.03)


def test_the_device_is_named() -> None:
    assert prepare().name

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from tests.unit.worker.gan.conftest import MakeGarments
from worker.gan.data import Dataset
from worker.gan.device import Device
from worker.gan.recipe import Hyperparameters
from worker.gan.trainers import Settings, build_trainer
from worker.gan.trainers.adversarial import AdversarialTrainer, full_precision

CPU = Device("cpu", "test", "float32", compiled=False)
HALF = Device("gpu", "pretended", "mixed_bfloat16", compiled=False)
NOW = Settings(1e-3, 0.9)


def build(tiny: Hyperparameters, dataset: Dataset, device: Device = CPU) -> AdversarialTrainer:
    return AdversarialTrainer("residual", tiny, dataset, seed=0, device=device)


def tinted(dataset: Dataset) -> Dataset:
    """The same garments with a main colour, some of them unknown."""
    colours = np.full((dataset.n, 2, 3), np.nan, np.float32)
    colours[::2, 0] = [60, 20, 10]
    colours[::4, 1] = [20, 0, 0]
    return replace(dataset, colours=colours)


@pytest.mark.parametrize("preset", ["residual", "dcgan", "mlp", "vae"])
def test_every_preset_makes_finite_steps_and_moves_both_networks(
    preset: str, tiny: Hyperparameters, garments: MakeGarments
) -> None:
    loss = "relativistic" if preset == "residual" else "saturating-free"
    trainer = build_trainer(
        preset, replace(tiny, loss=loss, colour_weight=0.1), tinted(garments()), seed=0, device=CPU
    )
    before = trainer.state()
    told = trainer.step(0, NOW).numpy()
    assert told.shape == (len(trainer.names),)
    assert np.all(np.isfinite(told))
    moved = {name.split("/")[0] for name, a in trainer.state().items() if (a != before[name]).any()}
    assert {"generator", "average", trainer.critic_name} <= moved


def test_a_step_runs_in_bfloat16_as_it_would_on_a_gpu(
    garments: MakeGarments, tiny: Hyperparameters
) -> None:
    coloured = replace(tiny, colour_weight=0.1, match=0.2)
    for hyper, dataset in ((tiny, garments()), (coloured, tinted(garments()))):
        trainer = build(hyper, dataset, HALF)
        for penalised in (True, False):
            told = trainer.step(0, NOW, penalised=penalised).numpy()
            assert np.all(np.isfinite(told))
    assert {v.dtype for v in trainer.generator.trainable_variables} == {"float32"}


def test_penalties_are_computed_in_float32_whatever_the_policy(
    garments: MakeGarments, tiny: Hyperparameters
) -> None:
    critic = build(tiny, garments(), HALF).critic
    images = tf.random.stateless_normal((2, 16, 16, 3), (1, 2))
    labels, none = tf.zeros((2, 2), tf.int32), tf.zeros((2, 0, 3))
    coarse = critic(images, labels, none).numpy()
    with full_precision(critic):
        fine = critic(images, labels, none).numpy()
    whole = build(tiny, garments()).critic
    whole.set_weights(critic.get_weights())
    assert np.array_equal(fine, whole(images, labels, none).numpy())
    assert not np.array_equal(coarse, fine)
    assert critic.compute_dtype == "bfloat16"


def test_two_devices_share_a_step_and_stay_equal() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "tests.unit.worker.gan.two_devices"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr[-2000:]
    assert "2 replicas, equal" in told.stdout


def test_a_mapped_catalog_trains_like_one_in_memory(
    garments: MakeGarments, tiny: Hyperparameters, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = build(tiny, garments())
    monkeypatch.setattr("worker.gan.trainers.base.MEMORY_LIMIT", 0)
    outside = build(tiny, garments())
    assert outside.catalog is None
    draw = tf.constant([4, 2], tf.int64)
    assert np.array_equal(inside._draw(draw), outside._draw(draw))
    assert np.all(np.isfinite(outside.step(0, NOW).numpy()))


def test_garments_that_are_held_out_are_never_drawn(
    garments: MakeGarments, tiny: Hyperparameters
) -> None:
    rows = np.array([3, 5, 11])
    trainer = build_trainer("residual", tiny, garments(), rows=rows, seed=0, device=CPU)
    drawn = {int(i) for n in range(40) for i in trainer._draw(tf.constant([n, 1], tf.int64))}
    assert drawn == {3, 5, 11}


def test_conditions_are_hidden_as_often_as_the_settings_say(
    garments: MakeGarments, tiny: Hyperparameters
) -> None:
    hyper = replace(tiny, batch=2000)
    trainer = build(hyper, tinted(garments()))
    images = tf.zeros((2000, 16, 16, 3), tf.uint8)
    gathered = (images, tf.zeros((2000, 2), tf.int32), tf.zeros((2000, 2, 3)))
    batch = trainer._prepare(gathered, tf.unstack(tf.constant([[1, 2], [3, 4], [5, 6]])))
    hidden = (batch.labels.numpy() == -1).mean(axis=0)
    assert hidden == pytest.approx([tiny.null_chance, tiny.null_chance_others], abs=0.03)
    unknown = np.isnan(batch.colours.numpy()[..., 0]).mean(axis=0)
    others = tiny.null_chance_others
    assert unknown == pytest.approx([others, 2 * others], abs=0.03)


def test_without_a_penalty_a_step_has_no_slopes(
    garments: MakeGarments, tiny: Hyperparameters
) -> None:
    trainer = build(tiny, garments())
    plain = dict(zip(trainer.names, trainer.step(0, NOW, penalised=False).numpy(), strict=True))
    assert plain["real_slope"] == plain["generated_slope"] == 0
    slopes = dict(zip(trainer.names, trainer.step(1, NOW).numpy(), strict=True))
    assert slopes["real_slope"] > 0


def test_a_probe_repeats_itself(garments: MakeGarments, tiny: Hyperparameters) -> None:
    trainer = build(tiny, garments())
    heldout = garments(seed=7)
    first = trainer.probe(3, heldout, settings=NOW)
    assert set(first) == {"seen", "held_out", "generated"}
    assert trainer.probe(3, heldout, settings=NOW) == first
    assert json.dumps(first)

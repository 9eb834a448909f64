"""A step on two virtual CPUs, in a process of its own: devices must be named before all else."""

import numpy as np
import tensorflow as tf

HALVES = [tf.config.LogicalDeviceConfiguration()] * 2


def main() -> None:
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], HALVES)
    names = tuple(device.name for device in tf.config.list_logical_devices("CPU"))
    from tests.unit.worker.gan.conftest import make_garments
    from worker.gan.device import Device
    from worker.gan.recipe import Hyperparameters
    from worker.gan.trainers import Settings, build_trainer

    hyper = Hyperparameters((12, 8), (12,), latent=8, embedding=4, features=8, batch=8, flip=True)
    device = Device("cpu", "two", "float32", compiled=False, replicas=names)
    trainer = build_trainer("residual", hyper, make_garments(), seed=0, device=device)
    before = trainer.state()
    for number in range(3):
        assert np.all(np.isfinite(trainer.step(number, Settings(1e-3, 0.9)).numpy()))
    after = trainer.state()
    assert any((after[name] != before[name]).any() for name in after)
    weights = (*trainer.generator.weights, *trainer.critic.weights, *trainer.average.weights)
    for variable in weights:
        first, second = (part.numpy() for part in variable.value.values)
        assert np.array_equal(first, second)
    print(f"{trainer.replicas} replicas, equal")  # noqa: T201 - what the test reads


if __name__ == "__main__":
    main()

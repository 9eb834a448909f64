"""Setting up TensorFlow in the process that trains or generates, and saying what was found.

Call `prepare` in the child, never in a parent that forks: any TensorFlow operation before the
fork hangs the child. What a GPU would do here was written from documentation and was not run:
no GPU was at hand. That covers memory growth, bfloat16 and XLA.
"""

import gc
from dataclasses import dataclass
from typing import Any, Literal

import keras
import tensorflow as tf


@dataclass(frozen=True)
class Device:
    """Where the networks run.

    Attributes:
        kind: "cpu" or "gpu".
        name: what to show people.
        policy: Keras' dtype policy. bfloat16 is three to four times slower than float32 on a CPU.
        compiled: whether steps go through XLA. On a CPU plain graphs measured 1.3 to 1.7 times
            as fast.
        replicas: names of the devices that share each step; one or none is no sharing.
    """

    kind: Literal["cpu", "gpu"]
    name: str
    policy: str
    compiled: bool
    replicas: tuple[str, ...] = ()

    def strategy(self) -> Any:
        """Return how a step is spread: over all replicas where there are several, else not.

        Run here on two virtual CPUs; not on GPUs.
        """
        if len(self.replicas) > 1:
            return tf.distribute.MirroredStrategy(list(self.replicas))
        return tf.distribute.get_strategy()


def forget() -> None:
    """Give back what a finished training leaves: its traced steps refer to themselves in circles.

    Without it the next training starts before they are collected, and both are in memory at once.
    """
    keras.utils.clear_session(free_memory=True)
    gc.collect()


def prepare(*, threads: int | None = None) -> Device:
    """Configure TensorFlow once and return the device; later calls only return it.

    Args:
        threads: cores to use; None leaves the choice to TensorFlow (all of them).
    """
    gpus = tf.config.list_physical_devices("GPU")
    try:
        for gpu in gpus:
            tf.config.experimental.set_memory_growth(gpu, True)
        if threads is not None:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:
        # TensorFlow already ran something in this process; its settings stand.
        pass
    if not gpus:
        cores = tf.config.threading.get_intra_op_parallelism_threads()
        return Device("cpu", f"CPU, {cores or 'all'} cores", "float32", compiled=False)
    details = tf.config.experimental.get_device_details(gpus[0])
    name = details.get("device_name", gpus[0].name)
    replicas = tuple(device.name for device in tf.config.list_logical_devices("GPU"))
    words = f"{len(gpus)}x {name}"
    return Device("gpu", words, "mixed_bfloat16", compiled=True, replicas=replicas)

"""Setting up TensorFlow in the process that trains or generates, and saying what was found.

Call `prepare` in the child, never in a parent that forks: any TensorFlow operation before the
fork hangs the child. What a GPU would do here was written from documentation and was not run:
no GPU was at hand. That covers memory growth, bfloat16 and XLA.
"""

import gc
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, Self

import keras
import tensorflow as tf

from worker.gan.recipe import POLICIES, Precision

PROCESSORS: Final = Path("/proc/cpuinfo")
"""Where Linux tells what the processors can; elsewhere they count as able of nothing special."""

NATIVE: Final = frozenset({"avx512_bf16", "amx_bf16"})
"""Instructions that multiply bfloat16 without a detour over float32."""

AMPERE: Final = (8, 0)
"""CUDA's compute capability from which GPUs multiply bfloat16 (NVIDIA's programming guide)."""


@dataclass(frozen=True)
class Device:
    """Where the networks run.

    Attributes:
        kind: "cpu" or "gpu".
        name: what to show people.
        policy: Keras' dtype policy.
        halves: whether it multiplies bfloat16 itself. A CPU that does made the steps of `residual`
            up to 1.7 times as fast in it; one that does not, three to four times slower.
        compiled: whether steps go through XLA. On a CPU plain graphs measured 1.3 to 1.7 times
            as fast.
        replicas: names of the devices that share each step; one or none is no sharing.
    """

    kind: Literal["cpu", "gpu"]
    name: str
    policy: str
    compiled: bool
    replicas: tuple[str, ...] = ()
    halves: bool = False

    def at(self, precision: Precision) -> Self:
        """Return the device set to a precision; `auto` leaves it as it was found."""
        return self if precision == "auto" else replace(self, policy=POLICIES[precision])

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
        return Device(
            "cpu", f"CPU, {cores or 'all'} cores", "float32", compiled=False,
            halves=processor_halves(PROCESSORS),
        )  # fmt: skip
    details = tf.config.experimental.get_device_details(gpus[0])
    name = details.get("device_name", gpus[0].name)
    replicas = tuple(device.name for device in tf.config.list_logical_devices("GPU"))
    words = f"{len(gpus)}x {name}"
    halves = details.get("compute_capability", AMPERE) >= AMPERE
    policy = POLICIES["bfloat16" if halves else "float32"]
    return Device("gpu", words, policy, compiled=True, replicas=replicas, halves=halves)


def processor_halves(told: Path) -> bool:
    """Whether the processors that Linux describes in this file all multiply bfloat16 themselves."""
    try:
        lines = told.read_text().splitlines()
    except OSError:
        return False
    flags = [set(line.split(":", 1)[1].split()) for line in lines if line.startswith("flags")]
    return bool(flags) and all(NATIVE & found for found in flags)

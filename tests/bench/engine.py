"""The one place where the benchmarks touch the engine: trainings, bare steps, samplers."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from worker.gan.trainer import Trainer

from tests.bench import flops, results
from worker.gan import device, recipe
from worker.gan.checkpoint import FolderCheckpoints
from worker.gan.data import Dataset
from worker.gan.progress import Progress
from worker.gan.recipe import Hyperparameters, Preset, Recipe
from worker.gan.release import Generator, TrainedRelease, load_generator
from worker.gan.train import train

PRESETS: tuple[Preset, ...] = tuple(name for name in get_args(Preset) if name != "auto")
"""Those that this engine has."""

WARM_STEPS = 5

PROBED = 4
"""Images by which two builds of one network are compared."""


Sampler = Callable[[NDArray[np.int32], NDArray[np.float32], int], NDArray[np.uint8]]
"""Labels [n, attributes], colours [n, slots, 3] and a seed -> images [n, size, size, channels]."""

RELEASED = ("generator.npz", "generator.json")


class StepWatch:
    """Looks at the clock when the engine asks whether to stop, which it does before each step."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun = clock()
        self._looks: list[float] = []

    def __call__(self) -> bool:
        if len(self._looks) <= 1:
            self._looks.append(self._clock())
        return False

    @property
    def until_first(self) -> float:
        """Seconds from the making of this until the first step was made."""
        return self._after_first() - self._begun

    @property
    def of_first(self) -> float:
        """Seconds of the first step, which is compiled on the way."""
        return self._after_first() - self._looks[0]

    def _after_first(self) -> float:
        """A run of one step has no second look: it ended just now."""
        return self._looks[1] if len(self._looks) > 1 else self._clock()


def ignore(_: Progress) -> None:
    """Nobody looks."""


def run(
    asked: Recipe,
    dataset: Dataset,
    folder: Path,
    *,
    on_progress: Callable[[Progress], None] = ignore,
    should_stop: Callable[[], bool] = lambda: False,
    judge: Any = None,
) -> TrainedRelease:
    """Train in a folder, going on from its checkpoints, and keep the release's files there.

    Without a judge the engine takes its own.
    """
    more = {} if judge is None else {"judge": judge}
    release = train(
        asked,
        dataset,
        FolderCheckpoints(folder / "checkpoints"),
        on_progress=on_progress,
        should_stop=should_stop,
        **more,
    )
    for name, content in release.files().items():
        results.write_bytes(folder / name, content)
    return release


def load(folder: Path) -> Generator:
    """Load the generator of the release in a folder."""
    return load_generator({name: (folder / name).read_bytes() for name in RELEASED})


def sampler(generator: Generator) -> Sampler:
    """Return a function that makes images for given conditions, other ones for another seed."""

    def sample(
        labels: NDArray[np.int32], colours: NDArray[np.float32], seed: int
    ) -> NDArray[np.uint8]:
        draw = np.random.default_rng(seed)
        latents = draw.standard_normal((len(labels), generator.latent), np.float32)
        return generator.paint(latents, labels, colours)

    return sample


def rows_of(generator: Generator, columns: int, *, most: int = 32) -> NDArray[np.uint8]:
    """Return designs, [values of the first attribute, columns, size, size, channels].

    The same seeds in each row, as on the engine's own sample sheet.
    """
    attribute, values = next(iter(generator.vocabulary.items()))
    conditions = [{attribute: value} for value in values[:most] for _ in range(columns)]
    seeds = list(range(columns)) * len(values[:most])
    made = generator.generate(seeds, conditions)
    return made.reshape(-1, columns, *made.shape[1:])


def settled(asked: Recipe, dataset: Dataset) -> Hyperparameters:
    """Return the settings that a training of this catalog would choose."""
    found, _ = recipe.resolve(
        asked,
        size=dataset.size,
        channels=dataset.channels,
        garments=dataset.n,
        imbalance=dataset.imbalance(),
        device=device.prepare().kind,
    )
    if found.hyper is None:
        raise AssertionError("a settled recipe has its settings")
    return found.hyper


class BareStep:
    """The compiled training step alone: no reports, sheets, checkpoints or looks at the clock."""

    def __init__(self, asked: Recipe, dataset: Dataset) -> None:
        self.hyper, self.dataset = settled(asked, dataset), dataset
        self.trainer = Trainer(self.hyper, dataset, seed=asked.seed, device=device.prepare())
        self._next = 0
        self.steps(WARM_STEPS)

    def steps(self, count: int) -> None:
        """Make so many steps and wait for the last."""
        loss = None
        for _ in range(count):
            loss = self.trainer.step(self._next, rate=1e-4, decay=0.99)
            self._next += 1
        np.asarray(loss)

    def images_per_second(self, seconds: float) -> float:
        """Measure over about so many seconds."""
        begun, steps = time.perf_counter(), 0
        while (spent := time.perf_counter() - begun) < seconds or steps == 0:
            self.steps(WARM_STEPS)
            steps += WARM_STEPS
        return steps * self.hyper.batch / spent

    def parameters(self) -> dict[str, int]:
        """Count what is trained."""
        return {
            name: sum(int(np.prod(variable.shape)) for variable in network.trainable_variables)
            for name, network in self._networks().items()
        }

    def multiplications(self) -> dict[str, int]:
        """Return multiply-adds an image: each network's forward pass, the step, and the formula."""
        latents, labels, images = self._inputs(1)
        forward = {
            "generator": flops.whole(_traced(self.trainer.generator, latents, labels)),
            "discriminator": flops.whole(_traced(self.trainer.discriminator, images, labels)),
        }
        step = tf.function(self.trainer._step_on_catalog).get_concrete_function(
            tf.constant([0, 0], tf.int64), tf.constant([0.0, 0.0])
        )
        return {
            **forward,
            "step": round(flops.whole(step) / self.hyper.batch),
            "step_by_formula": flops.step_by_formula(**forward),
        }

    def probe(self) -> dict[str, NDArray[Any]]:
        """Return inputs, weights and outputs, by which another build of the networks is checked.

        The weights are moved off their start first: there, the residual branches give nothing.
        """
        draw = np.random.default_rng(0)
        weights: dict[str, NDArray[Any]] = {}
        for part, network in self._networks().items():
            for place, variable in enumerate(network.trainable_variables):
                moved = variable.numpy() + 0.05 * draw.standard_normal(variable.shape)
                variable.assign(moved)
                weights[f"{part}/{place:03d}"] = np.asarray(variable.numpy())
        latents, labels, images = self._inputs(PROBED)
        return {
            "latents": latents,
            "labels": labels,
            "images": images,
            "painted": self.trainer.generator(latents, labels, training=False).numpy(),
            "judged": self.trainer.discriminator(images, labels, training=False).numpy(),
            **weights,
        }

    def _networks(self) -> dict[str, Any]:
        return {"generator": self.trainer.generator, "discriminator": self.trainer.discriminator}

    def _inputs(self, count: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        draw = np.random.default_rng(1)
        latents = draw.standard_normal((count, self.hyper.latent), np.float32)
        labels = self.dataset.label_matrix()[:count]
        images = self.dataset.images[:count].astype(np.float32) / 127.5 - 1.0
        return latents, labels, images


def settings(hyper: Any) -> Mapping[str, Any]:
    """Return a recipe's numbers as plain data."""
    return asdict(hyper)


def _traced(network: Any, *inputs: NDArray[Any]) -> Any:
    called = tf.function(lambda *given: network(*given, training=False))
    return called.get_concrete_function(*map(tf.constant, inputs))

"""The one place where the benchmarks touch the engine: trainings, bare steps, samplers."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tests.bench import flops, results
from worker.gan import device
from worker.gan.checkpoint import FolderCheckpoints
from worker.gan.data import Dataset
from worker.gan.progress import Progress
from worker.gan.recipe import Hyperparameters, Preset, Recipe
from worker.gan.release import Generator, TrainedRelease, load_generator
from worker.gan.settling import settle
from worker.gan.train import train
from worker.gan.trainers import Settings, build_trainer

PRESETS: tuple[Preset, ...] = tuple(name for name in get_args(Preset) if name != "auto")
"""Those that this engine has."""

WARM_STEPS = 5

SETTINGS = Settings(rate=1e-4, decay=0.99)
"""Of the steps that are timed; other numbers take as long."""

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
    build: Callable[..., Any] = build_trainer,
) -> TrainedRelease:
    """Train in a folder, going on from its checkpoints, and keep the release's files there.

    Args:
        asked: the recipe.
        dataset: what to learn.
        folder: of this training alone.
        on_progress: called about once a second.
        should_stop: asked before every step.
        judge: makes what measures the training; None measures nothing.
        build: makes the trainer; another one breaks it.
    """
    release = train(
        asked,
        dataset,
        FolderCheckpoints(folder / "checkpoints"),
        on_progress=on_progress,
        should_stop=should_stop,
        judge=judge,
        build=build,
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


def settled(asked: Recipe, dataset: Dataset) -> Recipe:
    """Return the recipe with nothing open, as a training of this catalog would choose."""
    found, _ = settle(asked, dataset, device=device.prepare(), warm=None)
    return found


def hyper_of(asked: Recipe, dataset: Dataset) -> Hyperparameters:
    """Return the settings that a training of this catalog would choose."""
    hyper = settled(asked, dataset).hyper
    if hyper is None:
        raise AssertionError("a settled recipe has its settings")
    return hyper


def unaugmented(asked: Recipe, dataset: Dataset) -> Recipe:
    """Return the recipe settled, with garments shown as they are: the peers cannot change them."""
    plain: dict[str, Any] = {
        "flip": False,
        "shift": 0.0,
        "cutout": 0.0,
        "recolour": False,
        "augment_target": 0.0,
    }
    found = settled(asked, dataset)
    return replace(found, hyper=replace(hyper_of(found, dataset), **plain))


class BareStep:
    """The compiled training step alone: no reports, sheets, checkpoints or looks at the clock."""

    def __init__(self, asked: Recipe, dataset: Dataset) -> None:
        found = settled(asked, dataset)
        self.hyper, self.dataset = hyper_of(found, dataset), dataset
        self.trainer = build_trainer(
            found.preset,
            self.hyper,
            dataset,
            seed=asked.seed,
            device=device.prepare().at(found.precision),
        )
        self._next = 0
        self.steps(WARM_STEPS * self.hyper.penalty_every)

    @property
    def halves(self) -> bool:
        """Whether it computes in bfloat16."""
        return str(self.trainer.shape.dtype) != "float32"

    def steps(self, count: int) -> None:
        """Make so many steps and wait for the last."""
        loss = None
        for _ in range(count):
            penalised = self._next % self.hyper.penalty_every == 0
            loss = self.trainer.step(self._next, SETTINGS, penalised=penalised)
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
        latents, images, told = self._inputs(1)
        entered = {"generator": latents, "critic": images}
        forward = {
            name: flops.whole(_traced(network, entered[name], *told))
            for name, network in self._networks().items()
        }
        every = self.hyper.penalty_every
        penalised, plain = self._step_work(penalised=True), self._step_work(penalised=False)
        step = (penalised + (every - 1) * plain) / every
        return {
            **forward,
            "step": round(step / self.hyper.batch),
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
            # A measured network has taken steps, so its norms have statistics by now.
            for place, variable in enumerate(network.non_trainable_variables):
                weights[f"{part}-state/{place:03d}"] = np.asarray(variable.numpy())
        latents, images, told = self._inputs(PROBED)
        networks = self._networks()
        return {
            "latents": latents,
            "labels": told[0],
            "images": images,
            "painted": networks["generator"](latents, *told, training=False).numpy(),
            "judged": networks["critic"](images, *told, training=False).numpy(),
            **weights,
        }

    def _step_work(self, *, penalised: bool) -> int:
        draw = tf.constant([0, 0], tf.int64)
        step = self.trainer._steps[penalised].get_concrete_function(draw, SETTINGS.packed(), ())
        return flops.whole(step)

    def _networks(self) -> dict[str, Any]:
        return {"generator": self.trainer.generator, "critic": self.trainer.critic}

    def _inputs(self, count: int) -> tuple[NDArray[Any], NDArray[Any], tuple[NDArray[Any], ...]]:
        """Return latents, images in [-1, 1], and labels with colours."""
        draw = np.random.default_rng(1)
        latents = draw.standard_normal((count, self.hyper.latent), np.float32)
        images = self.dataset.frame.inward(self.dataset.images[:count])
        told = self.dataset.label_matrix()[:count], self.dataset.colour_matrix()[:count]
        return latents, images.astype(np.float32) / 127.5 - 1.0, told


def settings(hyper: Any) -> Mapping[str, Any]:
    """Return a recipe's numbers as plain data."""
    return asdict(hyper)


def _traced(network: Any, *inputs: NDArray[Any]) -> Any:
    called = tf.function(lambda *given: network(*given, training=False))
    return called.get_concrete_function(*map(tf.constant, inputs))

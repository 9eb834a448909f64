"""One training from start to release: budget, schedules, progress, checkpoints, going back.

Separation of concerns: `trainer` owns variables and the compiled step; this module owns the clock,
when to report and save, and what to do when numbers are no longer finite. It knows nobody: progress
goes to one function, the wish to stop comes from another.
"""

import json
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from shared.errors import CheckpointCorruptError, OutOfMemoryError, TrainingDivergedError
from worker.gan import card, device, grid, latents, recipe
from worker.gan.checkpoint import Checkpoint, Checkpoints, pack, unpack
from worker.gan.combinations import Combinations
from worker.gan.data import Dataset
from worker.gan.progress import Progress, TrainingInterrupted
from worker.gan.recipe import Hyperparameters, Recipe
from worker.gan.release import TrainedRelease
from worker.gan.trainer import Trainer
from worker.gan.watchdog import LADDER, Watchdog, remedied

__all__ = ["Progress", "TrainingInterrupted", "train"]

FORMAT = 1

LOSSES = ("discriminator", "generator", "real_slope", "generated_slope")

REPORT_SECONDS = 1.0

GRID_COLUMNS = 8

GRID_ROWS = 32
"""Rows of the sample sheet at most; a vocabulary may have hundreds of values."""

CURVE_POINTS = 200
"""The loss curve is thinned to this many, spread evenly over the budget."""

STALL = 0.02
"""Share of the time that sheets and checkpoints may each take; slow ones become rarer."""

SUSPECT = 20.0
"""Seconds: a state saved so shortly before a collapse was seen may already carry it."""


def train(
    asked: Recipe,
    dataset: Dataset,
    checkpoints: Checkpoints,
    *,
    on_progress: Callable[[Progress], None],
    should_stop: Callable[[], bool],
    clock: Callable[[], float] = time.monotonic,
) -> TrainedRelease:
    """Train until the budget is used up, going on from the newest checkpoint if there is one.

    Args:
        asked: the recipe; what it leaves open is chosen here, or taken from the checkpoint.
        dataset: what to learn.
        checkpoints: where to save and to look for a start.
        on_progress: called about once a second, in this thread.
        should_stop: called before every step; must be cheap.
        clock: seconds that only grow.

    Raises:
        TrainingInterrupted: `should_stop` said so; a checkpoint was written first.
        TrainingDivergedError: the losses stopped being finite again at the end of the ladder.
        CheckpointCorruptError: the checkpoint is of another catalog, seed or network.
        OutOfMemoryError: the device has too little memory.
    """
    try:
        run = _Run(asked, dataset, checkpoints, clock)
        run.to_the_end(on_progress, should_stop)
        return run.release()
    except tf.errors.ResourceExhaustedError as problem:
        raise OutOfMemoryError(
            "The device has too little memory for this training. "
            "Choose a smaller size, or free the device."
        ) from problem


class _Run:
    """The changing state of one training."""

    def __init__(
        self, asked: Recipe, dataset: Dataset, checkpoints: Checkpoints, clock: Callable[[], float]
    ) -> None:
        self.dataset = dataset
        self.combinations = Combinations.of(dataset.label_matrix())
        self.checkpoints = checkpoints
        self.clock = clock
        self.device = device.prepare()
        found = checkpoints.newest()
        saved = _read_state(found) if found else None
        self.recipe, self.choices = self._settle(asked, saved)
        self.tries: int = saved["tries"] if saved else 0
        self.trainer = Trainer(self.hyper, dataset, seed=asked.seed, device=self.device)
        self.step, self.images_seen, self.before = 0, 0, 0.0
        self.losses: dict[str, float] = {}
        self.curve: list[dict[str, float]] = []
        self.events: list[dict[str, Any]] = []
        self.watchdog, self.watching = Watchdog(dataset), True
        self.pending: list[Any] = []
        if found and saved:
            self._resume(found, saved)
        self._sheet()  # compiles it before the clock starts
        self.preview_every = self.recipe.preview_seconds
        self.save_every = self.recipe.checkpoint_seconds
        self.started = self.reported = self.previewed = self.saved = clock()
        self.reported_images = self.images_seen
        self.good = self.older = found or self._snapshot()

    def to_the_end(
        self, on_progress: Callable[[Progress], None], should_stop: Callable[[], bool]
    ) -> None:
        """Step, report and save until the budget is used up."""
        while self.fraction() < 1.0:
            if should_stop():
                self.save()
                raise TrainingInterrupted(self.step)
            self.advance()
            if self.report_due():
                self.report(on_progress)
            if self.save_due():
                self.save()
        if not self.save():
            # The numbers broke after the last report: go on from where the run went back to.
            return self.to_the_end(on_progress, should_stop)
        return self.report(on_progress)

    @property
    def hyper(self) -> Hyperparameters:
        """The settings in force: those chosen first, and what the ladder has changed since."""
        if self.recipe.hyper is None:
            raise AssertionError("a settled recipe has its settings")
        return remedied(self.recipe.hyper, self.tries)

    def elapsed(self) -> float:
        """Trained seconds over all resumes."""
        return self.before + self.clock() - self.started

    def fraction(self) -> float:
        """How much of the budget is used, 0..1."""
        if self.recipe.images is not None:
            return min(1.0, self.images_seen / self.recipe.images)
        return min(1.0, self.elapsed() / (60.0 * (self.recipe.minutes or 0.0)))

    def advance(self) -> None:
        """Make one step."""
        rate = learning_rate(self.hyper, self.fraction(), step=self.step)
        decay = kept_share(self.hyper, self.images_seen)
        self.pending.append(self.trainer.step(self.step, rate=rate, decay=decay, stream=self.tries))
        self.step += 1
        self.images_seen += self.hyper.batch

    def report_due(self) -> bool:
        """Whether to read the losses; that waits for a GPU, so it is not done on every step."""
        return self.clock() - self.reported >= REPORT_SECONDS

    def save_due(self) -> bool:
        """Whether it is time for a checkpoint."""
        return self.clock() - self.saved >= self.save_every

    def report(self, on_progress: Callable[[Progress], None]) -> None:
        """Tell where the training stands; after a collapse, go back instead."""
        losses = self._read_losses()
        if losses is None:
            return
        self.watchdog.see_losses(losses.get("generator", 0.0), self.images_seen)
        now, fraction = self.clock(), self.fraction()
        speed = (self.images_seen - self.reported_images) / max(now - self.reported, 1e-9)
        preview = fraction == 1.0 or now - self.previewed >= self.preview_every
        self.reported, self.reported_images = now, self.images_seen
        sheet = None
        if preview:
            samples = self._samples()
            self.watchdog.see_samples(samples, self.images_seen)
            sheet = self._assembled(samples)
            self.previewed = self.clock()
            cost = self.previewed - now
            self.preview_every = max(self.recipe.preview_seconds, cost / STALL)
        on_progress(
            Progress(
                self.step,
                self.images_seen,
                fraction,
                losses,
                speed,
                self.elapsed() * (1.0 - fraction) / max(fraction, 1e-9),
                sheet,
            )
        )
        verdict = self.watchdog.verdict()
        if verdict is not None and self.watching:
            self._recover(verdict)

    def save(self) -> bool:
        """Write a checkpoint and say so, or, if the state is broken, go back and say no."""
        if self._read_losses() is None:
            return False
        begun = self.clock()
        if self.watchdog.uneasy and self.watching:
            self.saved = begun  # what may be collapsing must not become what one goes back to
            return True
        self.older, self.good = self.good, self._snapshot()
        self.checkpoints.save(self.good.step, self.good.files)
        self.saved = self.clock()
        self.save_every = max(self.recipe.checkpoint_seconds, (self.saved - begun) / STALL)
        return True

    def release(self) -> TrainedRelease:
        """Return the averaged generator with its card."""
        seconds = self.elapsed()
        history = {
            "steps": self.step,
            "images_seen": self.images_seen,
            "seconds": round(seconds, 1),
            "images_per_second": round(self.images_seen / max(seconds, 1e-9), 1),
            "losses": self.curve,
            "events": self.events,
        }
        return TrainedRelease(
            self.trainer.average.get_weights(), self.hyper, self.dataset.size,
            self.dataset.channels, dict(self.dataset.vocabulary), self.combinations,
            card.write(
                dataset=self.dataset, recipe=self.recipe, device=self.device,
                choices=self.choices, history=history,
            ),
            self._sheet(),
        )  # fmt: skip

    def _settle(self, asked: Recipe, saved: dict[str, Any] | None) -> tuple[Recipe, list[str]]:
        """Choose what is open; a resume keeps what was chosen first, and takes the new budget."""
        if saved is None:
            return recipe.resolve(
                asked,
                size=self.dataset.size,
                channels=self.dataset.channels,
                garments=self.dataset.n,
                imbalance=self.dataset.imbalance(),
                device=self.device.kind,
            )
        before = Recipe.from_dict(saved["recipe"])
        same = (
            saved["fingerprint"] == self.dataset.fingerprint
            and before.seed == asked.seed
            and asked.hyper in {None, before.hyper}
        )
        if not same:
            raise CheckpointCorruptError(
                "The checkpoint is of another catalog, seed or network. "
                "Resume with the first ones, or start in an empty place."
            )
        return replace(asked, preset=before.preset, hyper=before.hyper), saved["choices"]

    def _resume(self, found: Checkpoint, saved: dict[str, Any]) -> None:
        self._restore(found)
        self.before = saved["elapsed"]
        self.curve, self.events = saved["curve"], saved["events"]

    def _restore(self, found: Checkpoint) -> None:
        try:
            self.trainer.restore(unpack(found.files["state.npz"]))
        except (KeyError, ValueError, OSError, zipfile.BadZipFile) as problem:
            raise CheckpointCorruptError(f"The checkpoint does not fit: {problem}.") from problem
        self.step = found.step
        self.images_seen = found.step * self.hyper.batch

    def _snapshot(self) -> Checkpoint:
        state = {
            "format": FORMAT,
            "recipe": self.recipe.as_dict(),
            "choices": self.choices,
            "fingerprint": self.dataset.fingerprint,
            "elapsed": self.elapsed(),
            "tries": self.tries,
            "curve": self.curve,
            "events": self.events,
        }
        files = {"state.npz": pack(self.trainer.state()), "state.json": json.dumps(state).encode()}
        return Checkpoint(self.step, files)

    def _read_losses(self) -> dict[str, float] | None:
        """Return means since the last reading; None after going back because of one."""
        if not self.pending:
            return self.losses
        means = np.mean([np.asarray(loss) for loss in self.pending], axis=0)
        self.pending.clear()
        if not np.all(np.isfinite(means)):
            self._go_back("the losses were no longer finite", self.good)
            return None
        losses = {name: round(float(mean), 4) for name, mean in zip(LOSSES, means, strict=True)}
        self.losses = losses
        if self.fraction() >= len(self.curve) / CURVE_POINTS:
            self.curve.append({"images": self.images_seen, **losses})
        return losses

    def _recover(self, cause: str) -> None:
        """Go back after a collapse, or, at the end of the ladder, say so and go on."""
        if self.tries < len(LADDER):
            suspect = self.clock() - self.saved < SUSPECT
            self._go_back(cause, self.older if suspect else self.good)
            return
        self.watching = False
        self.events.append({"step": self.step, "cause": cause, "changed": "nothing: ladder ended"})

    def _go_back(self, cause: str, target: Checkpoint) -> None:
        """Restore a good state, with one thing changed and other draws.

        Raises:
            TrainingDivergedError: the ladder has ended.
        """
        if self.tries >= len(LADDER):
            raise TrainingDivergedError(
                f"At step {self.step} {cause}, after going back {self.tries} times. Try another "
                "seed, a lower learning rate, or more garments.",
                step=self.step,
                events=self.events,
            )
        self.events.append(
            {
                "step": self.step,
                "cause": cause,
                "went_back_to": target.step,
                "changed": LADDER[self.tries].words,
            }
        )
        self.tries += 1
        self.trainer = Trainer(self.hyper, self.dataset, seed=self.recipe.seed, device=self.device)
        self._restore(target)
        self.pending.clear()
        self.watchdog.forget()
        self.reported_images = self.images_seen
        # Whoever resumes must start from here, and not from what was saved in between.
        self.good = self.older = self._snapshot()
        self.checkpoints.save(self.good.step, self.good.files)
        self.saved = self.clock()

    def _samples(self) -> NDArray[np.uint8]:
        """Return the sample sheet's images, [values of the first attribute, latents, h, w, c]."""
        values = next(iter(self.dataset.vocabulary.values()), ())
        rows: Sequence[int] = range(min(len(values), GRID_ROWS)) or [-1]
        labels = np.full((len(rows) * GRID_COLUMNS, len(self.dataset.vocabulary)), -1, np.int32)
        labels[:, :1] = np.repeat(rows, GRID_COLUMNS)[:, np.newaxis]
        labels = self.combinations.fill(labels, list(range(GRID_COLUMNS)) * len(rows))
        fixed = np.tile(latents.draw(range(GRID_COLUMNS), self.hyper.latent), (len(rows), 1))
        made = grid.to_bytes(self.trainer.sample(fixed, labels))
        return made.reshape(len(rows), GRID_COLUMNS, *made.shape[1:])

    def _sheet(self) -> NDArray[np.uint8]:
        return self._assembled(self._samples())

    @staticmethod
    def _assembled(samples: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return grid.assemble(samples.reshape(-1, *samples.shape[2:]), GRID_COLUMNS)


def learning_rate(hyper: Hyperparameters, fraction: float, *, step: int) -> float:
    """Rises over the first steps, is held until `hold` of the budget, and falls to `final_rate`."""
    rise = min(1.0, (step + 1) / max(hyper.warm_steps, 1))
    fall = max(0.0, fraction - hyper.hold) / (1.0 - hyper.hold)
    return hyper.learning_rate * rise * (1.0 - (1.0 - hyper.final_rate) * fall)


def kept_share(hyper: Hyperparameters, images_seen: int) -> float:
    """Share of the averaged generator that a step keeps, so that its half-life fits the run."""
    half_life = min(hyper.ema_images, hyper.ema_share * images_seen)
    return float(0.5 ** (hyper.batch / half_life)) if half_life else 0.0


def _read_state(found: Checkpoint) -> dict[str, Any]:
    try:
        state: dict[str, Any] = json.loads(found.files["state.json"])
    except (KeyError, ValueError) as problem:
        raise CheckpointCorruptError(f"state.json cannot be read: {problem}.") from problem
    if state.get("format") != FORMAT:
        raise CheckpointCorruptError(
            f"The checkpoint has format {state.get('format')}; this version reads {FORMAT}."
        )
    return state

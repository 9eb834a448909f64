"""The changing state of one training, and the moves that `train` makes with it."""

import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.errors import CheckpointCorruptError
from worker.gan import device, finishing
from worker.gan.adapting import FULL_SWING, AugmentChance
from worker.gan.checkpoint import Checkpoint, Checkpoints, pack, unpack
from worker.gan.combinations import Combinations
from worker.gan.data import Dataset
from worker.gan.energy import Energy
from worker.gan.progress import Progress
from worker.gan.readings import SAMPLED, Judge, Reading, Readings
from worker.gan.recipe import Hyperparameters, Recipe
from worker.gan.recovery import Recovery, event, last_event, thinned
from worker.gan.release import TrainedRelease
from worker.gan.samples import Samples, assembled
from worker.gan.schedule import (
    Budget,
    conditioning,
    kept_share,
    learning_rate,
    penalty_share,
)
from worker.gan.settling import settle, settle_again, usual_rate
from worker.gan.state import (
    NETWORKS,
    History,
    State,
    best_files,
    proven_files,
    proven_state,
    read_state,
    restore_readings,
)
from worker.gan.trainers import Settings, Trainer
from worker.gan.warm import WarmStart
from worker.gan.watchdog import Watchdog, quiet_images

REPORT_SECONDS = 1.0

CURVE_POINTS = 200
"""The loss curve is thinned to this many, spread evenly over the budget."""

STALL = 0.012
"""Share of the time that sheets, checkpoints and readings may each take; slow ones become rarer."""

JUDGED_BYTES = 2**30
"""Of garments that the judge learns from; a catalog larger than memory is judged by a part."""


class Run:
    """One training between its first step and its release."""

    def __init__(
        self,
        asked: Recipe,
        dataset: Dataset,
        checkpoints: Checkpoints,
        *,
        clock: Callable[[], float],
        start: Mapping[str, bytes] | None,
        judge: Callable[[Dataset, Dataset], Judge | None] | None,
        build: Callable[..., Trainer],
    ) -> None:
        dataset.require_enough()
        self.dataset = dataset
        self.checkpoints = checkpoints
        self.clock = clock
        self.build = build
        found_device = device.prepare()
        found = checkpoints.newest()
        saved = read_state(found) if found else None
        self.warm = WarmStart.read(start, dataset) if start and not found else None
        self.recipe, self.choices = (
            settle_again(asked, dataset, saved, device=found_device)
            if saved
            else settle(asked, dataset, device=found_device, warm=self.warm)
        )
        self.device = found_device.at(self.recipe.precision)
        self.rows, held = dataset.split(self.recipe.heldout)
        self.heldout = dataset.take(held) if len(held) else None
        self.history = saved.history if saved else History()
        self.combinations = Combinations.of(dataset.label_matrix(), dataset.colour_matrix())
        self.samples = Samples(dataset, self.combinations, self.settings_first.latent)
        self.readings = Readings(self.recipe.early_stop)
        quiet = quiet_images(self.settings_first)
        self.watchdog, self.watching = Watchdog(dataset, quiet_images=quiet), True
        self.seed = saved.seed if saved else self.recipe.seed
        self.step = self.images_seen = self.reported_images = 0
        self.reported = self.previewed = self.saved = self.measured = 0.0
        self.pending: list[Any] = []
        self.losses: dict[str, float] = {}
        self._begin(found, saved)
        self.judge = judge(self._judged(), self.heldout) if judge and self.heldout else None
        self._get_going(saved)

    @property
    def settings_first(self) -> Hyperparameters:
        """The settings before any remedy."""
        if self.recipe.hyper is None:
            raise AssertionError("a settled recipe has its settings")
        return self.recipe.hyper

    @property
    def hyper(self) -> Hyperparameters:
        """The settings in force: those chosen first, and what the ladder has changed since."""
        return self.recovery.hyper

    def fraction(self) -> float:
        """How much of the budget is used, 0..1."""
        return self.budget.fraction(self.images_seen)

    def is_over(self) -> bool:
        """Whether the budget is used up, or the metric has settled."""
        return self.fraction() >= 1.0 or self.readings.has_settled()

    def advance(self) -> None:
        """Make one step."""
        penalised = self.step % self.hyper.penalty_every == 0
        stream = self.recovery.tries
        now = self.trainer.step(self.step, self._settings(), penalised=penalised, stream=stream)
        self.pending.append(now)
        self.step += 1
        self.images_seen += self.hyper.batch

    def adapt_due(self) -> bool:
        """Whether to look at how far the discriminator knows its garments by heart."""
        return self.heldout is not None and self.augment.due(self.images_seen)

    def adapt(self) -> None:
        """Move the augmentation's chance towards its target."""
        if self.heldout is None:
            return
        judged = self.trainer.probe(self.step, self.heldout, settings=self._settings())
        if judged:
            swing = FULL_SWING * self.images_seen / max(self.fraction(), 1e-6)
            self.augment.look(judged, self.images_seen, swing)

    def measure_due(self) -> bool:
        """Whether to read the metric: from time to time, and at the end."""
        if self.judge is None:
            return False
        last = self.readings.curve[-1].images if self.readings.curve else None
        ended = self.fraction() >= 1.0 and last != self.images_seen
        return ended or self.clock() - self.measured >= self.measure_every

    def measure(self) -> None:
        """Read the metric and keep the weights where they are the best so far."""
        if self.judge is None or self._read_losses() is None:
            return
        begun = self.clock()
        sampler = self.samples.sampler(self.trainer.sample)
        figure = self.judge.read(sampler, SAMPLED, 0)
        low, high = figure.interval or (figure.value, figure.value)
        reading = Reading(
            self.images_seen, round(self.budget.elapsed(), 1),
            round(figure.value, 5), round(low, 5), round(high, 5),
        )  # fmt: skip
        self.watchdog.see_reading(reading, self.readings.best)
        self.readings.add(reading, self.trainer.average.get_weights())
        if self.readings.best is reading:
            self.recovery.proven = self._networks()
        self.measured = self.clock()
        cost = self.measured - begun
        self.measure_every = max(self.recipe.measure_seconds, cost / STALL)
        if self.readings.has_settled():
            words = f"the metric has not moved over {self.recipe.early_stop} readings"
            self.history.events.append(
                {"step": self.step, "cause": words, "changed": "ended early"}
            )

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
        self.watchdog.see_losses(losses, self.images_seen)
        now, fraction = self.clock(), self.fraction()
        speed = (self.images_seen - self.reported_images) / max(now - self.reported, 1e-9)
        self.reported, self.reported_images = now, self.images_seen
        self.energy.joules()
        on_progress(
            Progress(
                self.step,
                self.images_seen,
                1.0 if self.is_over() else fraction,
                losses,
                speed,
                self.budget.elapsed() * (1.0 - fraction) / max(fraction, 1e-9),
                self._preview(now),
                self.judge.key if self.judge else None,
                self.readings.as_dicts(),
                tuple(self.history.events),
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
        self.recovery.keep(self._snapshot())
        self.checkpoints.save(self.recovery.good.step, self.recovery.good.files)
        self.saved = self.clock()
        self.save_every = max(self.recipe.checkpoint_seconds, (self.saved - begun) / STALL)
        return True

    def release(self) -> TrainedRelease:
        """Return the best averaged generator with its card, and the last one beside it."""
        return finishing.release_of(self)

    def _begin(self, found: Checkpoint | None, saved: State | None) -> None:
        """Build the networks, and put back what a checkpoint or a release gives them."""
        self.augment = AugmentChance(self.settings_first, self.settings_first.augment)
        if saved is not None:
            self.augment.restore(saved.augment)
        nothing = found or Checkpoint(0, {})
        usual = usual_rate(self.recipe, self.dataset, device=self.device)
        tries = saved.tries if saved else 0
        self.recovery = Recovery(self.settings_first, usual, tries, nothing, nothing)
        self.budget = Budget(self.recipe, self.clock, saved.elapsed if saved else 0.0)
        self.trainer = self._trainer()
        if found and saved:
            self._restore(found)
            restore_readings(self.readings, saved, found)
            self.recovery.proven = proven_state(saved, found)
        elif self.warm:
            self.warm.into(self.trainer)

    def _get_going(self, saved: State | None) -> None:
        """Compile the sample sheet, and start the clocks."""
        self.samples.sheet(self.trainer.sample)
        self.energy = Energy()
        self.preview_every = self.recipe.preview_seconds
        self.save_every = self.recipe.checkpoint_seconds
        self.measure_every = self.recipe.measure_seconds
        self.budget.start()
        now = self.clock()
        self.reported = self.previewed = self.saved = self.measured = now
        self.reported_images = self.images_seen
        if saved is None:
            first = self._snapshot()
            self.recovery.good = self.recovery.older = first

    def _trainer(self) -> Trainer:
        return self.build(
            self.recipe.preset, self.hyper, self.dataset,
            rows=self.rows, seed=self.seed, device=self.device,
        )  # fmt: skip

    def _settings(self) -> Settings:
        fraction = self.fraction()
        return Settings(
            learning_rate(self.hyper, fraction, step=self.step),
            kept_share(self.hyper, self.images_seen),
            self.augment.chance,
            conditioning(self.hyper, fraction),
            penalty_share(self.hyper, fraction),
        )

    def _judged(self) -> Dataset:
        """Return the garments that the judge may learn from."""
        each = int(np.prod(self.dataset.images.shape[1:]))
        return self.dataset.take(self.rows[: max(1, JUDGED_BYTES // each)])

    def _preview(self, now: float) -> NDArray[np.uint8] | None:
        """Return a sample sheet when it is time for one, and let the watchdog look at it."""
        if not self.is_over() and now - self.previewed < self.preview_every:
            return None
        samples = self.samples.draw(self.trainer.sample)
        self.watchdog.see_samples(samples, self.images_seen)
        self.previewed = self.clock()
        cost = self.previewed - now
        self.preview_every = max(self.recipe.preview_seconds, cost / STALL)
        return assembled(samples)

    def _restore(self, found: Checkpoint) -> None:
        try:
            self.trainer.restore(unpack(found.files[NETWORKS]))
        except (KeyError, ValueError, OSError, zipfile.BadZipFile) as problem:
            raise CheckpointCorruptError(f"The checkpoint does not fit: {problem}.") from problem
        self.step = found.step
        self.images_seen = found.step * self.hyper.batch

    def _snapshot(self) -> Checkpoint:
        best = self.readings.best
        state = State(
            self.recipe, self.choices, self.dataset.fingerprint, self.budget.elapsed(),
            self.recovery.tries, self.seed, self.augment.as_dict(), self.history,
            self.readings.as_dicts(), self.readings.curve.index(best) if best else None,
            self.recovery.proven.step if self.recovery.proven else None,
        )  # fmt: skip
        files = {
            **self._networks().files,
            "state.json": state.to_json(),
            **best_files(self.readings),
            **proven_files(self.recovery.proven),
        }
        return Checkpoint(self.step, files)

    def _networks(self) -> Checkpoint:
        """Return the networks and optimisers alone, as one can go back to them."""
        return Checkpoint(self.step, {NETWORKS: pack(self.trainer.state())})

    def _read_losses(self) -> dict[str, float] | None:
        """Return means since the last reading; None after going back because of one."""
        if not self.pending:
            return self.losses
        means = np.mean([np.asarray(loss) for loss in self.pending], axis=0)
        self.pending.clear()
        if not np.all(np.isfinite(means)):
            self._go_back("the losses or gradients were no longer finite", sure=True)
            return None
        names = self.trainer.names
        self.losses = {n: round(float(mean), 4) for n, mean in zip(names, means, strict=True)}
        if thinned(self.history.curve, self.fraction(), CURVE_POINTS):
            self.history.curve.append({"images": self.images_seen, **self.losses})
        return self.losses

    def _recover(self, cause: str) -> None:
        """Go back after a collapse, or, at the end of the ladder, say so and go on."""
        if not self.recovery.is_at_end:
            self._go_back(cause, sure=False)
            return
        self.watching = False
        self.history.events.append(last_event(cause, step=self.step))

    def _go_back(self, cause: str, *, sure: bool) -> None:
        """Restore a good state, with one thing changed and other draws.

        Raises:
            TrainingDivergedError: the ladder has ended.
        """
        left, since = self.step, self.clock() - self.saved
        remedy, target = self.recovery.step_down(cause, step=left, since_saved=since, sure=sure)
        self.seed = self.recovery.seed(self.recipe.seed)
        self.trainer = self._trainer()
        if remedy.anew:
            self.step = self.images_seen = 0
            self.readings.restart()
            self.recovery.proven = None
        else:
            self._restore(target)
        self.augment.follow(self.hyper)
        told = event(cause, step=left, back=self.step, remedy=remedy)
        self.history.events.append(told)
        self.pending.clear()
        self.watchdog.forget()
        self.reported_images = self.images_seen
        # Whoever resumes must start from here, and not from what was saved in between.
        self.recovery.good = self.recovery.older = self._snapshot()
        self.checkpoints.save(self.step, self.recovery.good.files)
        self.saved = self.clock()

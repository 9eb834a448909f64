"""Going back after a collapse: which state to go back to, and what is changed."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared.errors import TrainingDivergedError
from worker.gan.checkpoint import Checkpoint
from worker.gan.recipe import Hyperparameters
from worker.gan.watchdog import LADDER, Remedy, remedied

LOG: Final = logging.getLogger(__name__)

SUSPECT = 20.0
"""Seconds: a state saved so shortly before a collapse was seen may already carry it."""

SEED_STRIDE = 1_000_003
"""Added to the seed for each new start, so that no two starts share a draw."""


@dataclass
class Recovery:
    """How far down the ladder a training is, and the good states that it can go back to.

    Attributes:
        first: the settings before any remedy.
        usual: the learning rate that `auto` would choose.
        tries: rungs used.
        good: the newest state that was saved while nothing looked wrong.
        older: the one before.
        proven: the state at the best reading of the metric; None where none was read.
    """

    first: Hyperparameters
    usual: float
    tries: int
    good: Checkpoint
    older: Checkpoint
    proven: Checkpoint | None = None

    @property
    def hyper(self) -> Hyperparameters:
        """The settings in force."""
        return remedied(self.first, self.tries, usual=self.usual)

    @property
    def is_at_end(self) -> bool:
        """Whether there is no rung left."""
        return self.tries >= len(LADDER)

    def keep(self, state: Checkpoint) -> None:
        """Take a new good state."""
        self.older, self.good = self.good, state

    def seed(self, asked: int) -> int:
        """Return the seed in force: the asked one, until the ladder said to begin anew."""
        starts = sum(remedy.anew for remedy in LADDER[: self.tries])
        return (asked + starts * SEED_STRIDE) % 2**31

    def step_down(
        self, cause: str, *, step: int, since_saved: float, sure: bool
    ) -> tuple[Remedy, Checkpoint]:
        """Take the next rung.

        Args:
            cause: what was seen, in plain words.
            step: where the training stands.
            since_saved: seconds since the newest good state.
            sure: whether that state is known to be good, as when the numbers broke in one step.

        Returns:
            What to change, and the state to go back to (unless the remedy begins anew).

        Raises:
            TrainingDivergedError: the ladder has ended.
        """
        if self.is_at_end:
            raise TrainingDivergedError(
                f"At step {step} {cause}, after going back {self.tries} times. Try another "
                "seed, a lower learning rate, or more garments.",
                step=step,
            )
        remedy = LADDER[self.tries]
        self.tries += 1
        target = self._target(sure=sure, since_saved=since_saved)
        back = "the start" if remedy.anew else f"step {target.step}"
        LOG.warning("At step %d %s: back to %s with %s", step, cause, back, remedy.words)
        return remedy, target

    def _target(self, *, sure: bool, since_saved: float) -> Checkpoint:
        """Return the newest state that is known to be good, as far as anything can be known.

        A collapse can begin minutes before the losses or samples show it: one long run was led back
        to a state that the metric had called ten times worse already. So the metric has the word.
        """
        if sure:
            return self.good
        if self.proven is not None:
            return self.proven
        return self.good if since_saved >= SUSPECT else self.older


def event(cause: str, *, step: int, back: int, remedy: Remedy) -> dict[str, Any]:
    """Return what the card says of one rung."""
    return {"step": step, "cause": cause, "went_back_to": back, "changed": remedy.words}


def last_event(cause: str, *, step: int) -> dict[str, Any]:
    """Return what the card says when nothing is left to change."""
    LOG.warning("At step %d %s, and the ladder has ended: going on unwatched", step, cause)
    return {"step": step, "cause": cause, "changed": "nothing: ladder ended"}


def thinned(curve: Sequence[dict[str, float]], fraction: float, points: int) -> bool:
    """Return whether a curve of so many points is due for another one at this fraction."""
    return fraction >= len(curve) / points

"""What a checkpoint holds beside the networks' arrays: read and written in one place."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from shared.errors import CheckpointCorruptError
from worker.gan.checkpoint import Checkpoint, pack, unpack
from worker.gan.readings import Readings
from worker.gan.recipe import Recipe

FORMAT = 2

NETWORKS = "state.npz"
"""The file of the networks and optimisers."""

PROVEN = "proven.npz"
"""The same at the best reading, to go back to."""


@dataclass
class History:
    """What a training has to tell of itself.

    Attributes:
        curve: losses, thinned.
        events: what the watchdog did, and other news for the card.
    """

    curve: list[dict[str, float]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class State:
    """A checkpoint's settings, clock and history.

    Attributes:
        recipe: resolved, before any remedy.
        choices: the sentences of `auto`.
        fingerprint: of the catalog.
        elapsed: seconds trained.
        tries: rungs of the ladder that were used.
        seed: of the networks and draws; another one than the recipe's after a new start.
        augment: the augmentation's chance and what it follows.
        history: curve and events so far.
        metrics: readings so far.
        best: place of the best reading; None without one.
        proven: the step of the best reading; None without one, and in older checkpoints.
    """

    recipe: Recipe
    choices: Sequence[str]
    fingerprint: str
    elapsed: float
    tries: int
    seed: int
    augment: Mapping[str, float]
    history: History
    metrics: Sequence[dict[str, Any]] = ()
    best: int | None = None
    proven: int | None = None

    def to_json(self) -> bytes:
        """Return state.json."""
        values = {**asdict(self), "recipe": self.recipe.as_dict(), "format": FORMAT}
        return json.dumps(values).encode()


def read_state(found: Checkpoint) -> State:
    """Read state.json.

    Raises:
        CheckpointCorruptError: it is missing, damaged, or of another version.
    """
    try:
        values: dict[str, Any] = json.loads(found.files["state.json"])
        written = values.pop("format", None)
        if written != FORMAT:
            raise CheckpointCorruptError(
                f"The checkpoint has format {written}; this version reads {FORMAT}. "
                "Start again in an empty place."
            )
        values["recipe"] = Recipe.from_dict(values["recipe"])
        values["history"] = History(**values["history"])
        return State(**values)
    except (KeyError, TypeError, ValueError) as problem:
        raise CheckpointCorruptError(f"state.json cannot be read: {problem}.") from problem


def best_files(readings: Readings) -> dict[str, bytes]:
    """Return best.npz with the weights of the best reading; nothing where there is none."""
    if not readings.weights:
        return {}
    return {"best.npz": pack({f"{i:03d}": w for i, w in enumerate(readings.weights)})}


def proven_files(proven: Checkpoint | None) -> dict[str, bytes]:
    """Return proven.npz with the networks at the best reading; nothing where there is none."""
    return {} if proven is None else {PROVEN: proven.files[NETWORKS]}


def proven_state(state: State, found: Checkpoint) -> Checkpoint | None:
    """Return what `proven_files` kept."""
    if state.proven is None or PROVEN not in found.files:
        return None
    return Checkpoint(state.proven, {NETWORKS: found.files[PROVEN]})


def restore_readings(readings: Readings, state: State, found: Checkpoint) -> None:
    """Put a checkpoint's readings back."""
    arrays = unpack(found.files["best.npz"]) if "best.npz" in found.files else {}
    readings.restore(list(state.metrics), state.best, [arrays[name] for name in sorted(arrays)])

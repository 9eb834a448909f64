"""A simulated device: a pass of n pictures takes a + b n milliseconds and none of the processor."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.artifacts import ArtifactStore
from shared.records import Records, models
from shared.schemas.base import Schema

FILE = "device.json"
"""Where a release's files tell what its device is like."""

_PRIME = 2_654_435_761  # Knuth's multiplicative hash: seeds that follow each other look unlike


class Pacing(Schema):
    """What a device takes for a pass.

    Attributes:
        fixed_ms: whatever the pass holds.
        each_ms: for each picture in it.
        size: side of its pictures, px.
    """

    fixed_ms: float = 8.0
    each_ms: float = 0.2
    size: int = 16

    def seconds(self, images: int) -> float:
        """Return what a pass of so many pictures takes."""
        return (self.fixed_ms + self.each_ms * images) / 1000

    def bound(self, batch: int) -> float:
        """Return the images a second of a device that makes full batches and never waits."""
        return batch / self.seconds(batch)


@dataclass(frozen=True)
class Simulated:
    """A generator whose pictures are cheap to make and whose time is another's to use."""

    pacing: Pacing
    slots: int = 0
    nbytes: int = 1

    @property
    def size(self) -> int:
        """Side of its pictures, pixels."""
        return self.pacing.size

    @property
    def vocabulary(self) -> Mapping[str, tuple[str, ...]]:
        """One attribute, so that there is a condition to complete."""
        return {"category": ("dress", "skirt")}

    def generate(
        self,
        seeds: Sequence[int],
        conditions: Sequence[Mapping[str, str]],  # noqa: ARG002 - as a generator is called
        *,
        temper: Sequence[float],  # noqa: ARG002 - as a generator is called
        blends: Sequence[Sequence[tuple[int, float]]],  # noqa: ARG002 - as a generator is called
    ) -> NDArray[np.uint8]:
        """Return uint8 [n, size, size, 3], when the device would have been done."""
        until = time.monotonic() + self.pacing.seconds(len(seeds))
        pictures = _pictures(np.asarray(seeds, np.uint64), self.pacing.size)
        # A device works by itself: the sleep gives this process' threads the interpreter.
        time.sleep(max(0.0, until - time.monotonic()))
        return pictures

    def complete(
        self, seeds: Sequence[int], conditions: Sequence[Mapping[str, str]]
    ) -> list[dict[str, str]]:
        """Return the conditions with what was left open as the seed has it."""
        values = self.vocabulary["category"]
        return [
            {"category": values[seed % len(values)], **condition}
            for seed, condition in zip(seeds, conditions, strict=True)
        ]


def open_simulated(records: Records, store: ArtifactStore, release_id: str) -> Simulated:
    """Return the device that a release's file tells of."""
    with records.reading() as tx:
        place = models.release(tx, release_id)
    return Simulated(Pacing.model_validate_json(store.read(f"{place.artifact}{FILE}")))


def _pictures(seeds: NDArray[np.uint64], size: int) -> NDArray[np.uint8]:
    """Draw a slanted gradient a seed: smooth, as pictures of garments are, so that PNG packs it."""
    marks = (seeds * np.uint64(_PRIME)) % np.uint64(2**24)
    colours = np.stack([marks >> np.uint64(shift) for shift in (0, 8, 16)], axis=-1)
    slant = (np.arange(size)[:, None] + np.arange(size)[None]).astype(np.uint64)
    return (colours[:, None, None, :] + slant[None, :, :, None]).astype(np.uint8)

"""What a training says while it runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Progress:
    """One report, about once a second.

    Attributes:
        step: updates made.
        images_seen: catalog images shown, repeats counted.
        fraction: of the budget, 0..1.
        losses: name -> mean since the report before.
        images_per_second: since the report before.
        eta_seconds: until the budget is used up.
        grid: every `preview_seconds` a sample sheet, uint8 [height, width, channels], with one row
            for each value of the first attribute and the same latents each time; else None.
        metric: key of the metric that the readings are of; None where nothing judges.
        metrics: the readings so far: images, seconds, value, low, high.
        events: what the watchdog did so far, as on the card.
    """

    step: int
    images_seen: int
    fraction: float
    losses: Mapping[str, float]
    images_per_second: float
    eta_seconds: float
    grid: NDArray[np.uint8] | None = None
    metric: str | None = None
    metrics: Sequence[Mapping[str, float]] = ()
    events: Sequence[Mapping[str, object]] = ()


class TrainingInterrupted(Exception):  # noqa: N818 - it is news, not a fault: a checkpoint was written
    """`should_stop` said so; a checkpoint of `step` was written and a resume goes on from it."""

    def __init__(self, step: int) -> None:
        super().__init__(f"The training stopped at step {step}, on request.")
        self.step = step

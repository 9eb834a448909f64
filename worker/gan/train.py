"""One training from start to release: the loop, and what is done between steps.

Separation of concerns: `trainers` own variables and the compiled step; `schedule` owns the clock;
`recovery` knows what to go back to; `readings` keep the metric. This module decides when to report,
save, measure and adapt. It knows nobody: progress goes to one function, the wish to stop comes from
another.
"""

import time
from collections.abc import Callable, Mapping

import tensorflow as tf

from shared.errors import OutOfMemoryError
from worker.gan.checkpoint import Checkpoints
from worker.gan.data import Dataset
from worker.gan.progress import Progress, TrainingInterrupted
from worker.gan.readings import Judge
from worker.gan.recipe import Recipe
from worker.gan.release import TrainedRelease
from worker.gan.run import Run
from worker.gan.trainers import Trainer, build_trainer

__all__ = ["Progress", "TrainingInterrupted", "train"]


def train(  # noqa: PLR0913 - each is one of the ways out of the engine
    asked: Recipe,
    dataset: Dataset,
    checkpoints: Checkpoints,
    *,
    on_progress: Callable[[Progress], None],
    should_stop: Callable[[], bool],
    clock: Callable[[], float] = time.monotonic,
    start: Mapping[str, bytes] | None = None,
    judge: Callable[[Dataset, Dataset], Judge | None] | None = None,
    build: Callable[..., Trainer] = build_trainer,
) -> TrainedRelease:
    """Train until the budget is used up, going on from the newest checkpoint if there is one.

    Args:
        asked: the recipe; what it leaves open is chosen here, or taken from the checkpoint.
        dataset: what to learn.
        checkpoints: where to save and to look for a start.
        on_progress: called about once a second, in this thread.
        should_stop: called before every step; must be cheap.
        clock: seconds that only grow.
        start: the files of a release to go on from; its preset and settings are taken.
        judge: given the garments to train on and those held out, returns what measures the
            training, or None where nothing can. Without it nothing is measured, and the last state
            is the release.
        build: makes the trainer; another one serves to test what goes wrong.

    Raises:
        TrainingInterrupted: `should_stop` said so; a checkpoint was written first.
        TrainingDivergedError: the numbers broke again at the end of the ladder.
        CheckpointCorruptError: the checkpoint is of another catalog, seed or network.
        ReleaseCorruptError: the release to start from cannot be read.
        InvalidInputError: the release to start from is of another size or channels.
        OutOfMemoryError: the device has too little memory.
    """
    try:
        run = Run(asked, dataset, checkpoints, clock=clock, start=start, judge=judge, build=build)
        _to_the_end(run, on_progress, should_stop)
        return run.release()
    except tf.errors.ResourceExhaustedError as problem:
        raise OutOfMemoryError(
            "The device has too little memory for this training. "
            "Choose a smaller size, or free the device."
        ) from problem


def _to_the_end(
    run: Run, on_progress: Callable[[Progress], None], should_stop: Callable[[], bool]
) -> None:
    """Step, adapt, measure, report and save until the budget is used up."""
    while not run.is_over():
        if should_stop():
            if run.save():
                raise TrainingInterrupted(run.step)
            continue
        run.advance()
        if run.adapt_due():
            run.adapt()
        if run.measure_due():
            run.measure()
        if run.report_due() or run.is_over():
            run.report(on_progress)
        if run.save_due() or run.is_over():
            run.save()

"""The usual worker for chaos: `celery -A tests.chaos.worker worker`.

Two things differ from production, both to save minutes: releases that were planted paint with a
simulated device, so that a generation worker that was killed is back without loading TensorFlow;
and the encoder that looks at the garments after a training learns for two steps, not 32. All that
keeps, claims, sends, publishes and resumes is the production code.
"""

from typing import Any, Final

from celery.signals import task_prerun

from shared.queue.names import Task
from shared.records import models
from tests.bench.simulated import FILE, open_simulated
from worker.celery import app
from worker.jobs.designs import GENERATORS
from worker.jobs.generators import Loaded, load_release
from worker.runtime import Runtime

__all__ = ("app",)

_STEPS: Final = 2


def _load(runtime: Runtime, release_id: str) -> Loaded:
    with runtime.records.reading() as tx:
        place = models.release(tx, release_id)
    if runtime.store.exists(f"{place.artifact}{FILE}"):
        return Loaded(open_simulated(runtime.records, runtime.store, release_id))
    return load_release(runtime, release_id)


GENERATORS.load_with(_load)


@task_prerun.connect  # type: ignore[untyped-decorator]  # celery ships no types
def _hurry(task: Any, **_ignored: Any) -> None:
    # In the child, and only where a training begins: TensorFlow stays out of parents that fork.
    if task.name == Task.TRAIN:
        from worker.gan import judging

        judging.LEAST_STEPS = _STEPS  # type: ignore[misc]  # the production value is a constant

"""The task that finds lost work."""

from typing import Final

from celery import shared_task

from shared.queue.names import Task
from worker.jobs.upkeep import keep_up
from worker.tasks.base import ToileTask

_LIMIT_SECONDS: Final = 600
"""Upkeep is no job, so no heartbeat ends it where it hangs; Celery's parent does."""


@shared_task(name=Task.UPKEEP.value, base=ToileTask, bind=True, time_limit=_LIMIT_SECONDS)
def upkeep(self: ToileTask) -> None:
    """Send again what was lost, and put back what was abandoned."""
    keep_up(self.runtime)

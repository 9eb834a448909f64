"""The task that finds lost work."""

from celery import shared_task

from shared.queue.names import Task
from worker.jobs.upkeep import keep_up
from worker.tasks.base import ToileTask


@shared_task(name=Task.UPKEEP.value, base=ToileTask, bind=True)
def upkeep(self: ToileTask) -> None:
    """Send again what was lost, and put back what was abandoned."""
    keep_up(self.runtime)

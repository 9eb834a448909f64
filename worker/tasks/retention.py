"""The task that lets go of what is past its time, and of what no row names."""

from celery import shared_task

from shared.queue.names import Task
from worker.jobs.retention import let_go
from worker.tasks.base import ToileTask


@shared_task(name=Task.RETENTION.value, base=ToileTask, bind=True)
def retention(self: ToileTask) -> None:
    """Expire results by their retention, and remove orphans for a while."""
    let_go(self.runtime)

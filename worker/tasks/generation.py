"""The task that makes designs."""

from celery import shared_task

from shared.queue.names import Task
from worker.jobs.designs import drain
from worker.tasks.base import ToileTask


@shared_task(name=Task.GENERATE.value, base=ToileTask, bind=True)
def generate(self: ToileTask, release_id: str) -> None:
    """Make the designs that wait, this release's and others'."""
    drain(self.runtime, release_id)

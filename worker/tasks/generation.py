"""The task that makes designs."""

from celery import shared_task

from shared.queue.names import Task
from worker.jobs.designs import drain_release
from worker.tasks.base import ToileTask


@shared_task(name=Task.GENERATE.value, base=ToileTask, bind=True)
def generate(self: ToileTask, release_id: str) -> None:
    """Make all designs that have accumulated for a release, up to one batch."""
    drain_release(self.runtime, release_id)

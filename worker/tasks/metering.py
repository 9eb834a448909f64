"""The task that measures what is kept for each site."""

from celery import shared_task

from shared.queue.names import Task
from worker.jobs.metering import measure_storage
from worker.tasks.base import ToileTask


@shared_task(name=Task.METER.value, base=ToileTask, bind=True)
def meter(self: ToileTask) -> None:
    """Write down what is kept for each site."""
    measure_storage(self.runtime)

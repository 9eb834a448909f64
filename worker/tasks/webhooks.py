"""The task that sends events to webhooks."""

from celery import shared_task

from shared.queue.names import Task
from worker.jobs.webhooks import send_due
from worker.tasks.base import ToileTask


@shared_task(name=Task.WEBHOOKS.value, base=ToileTask, bind=True)
def webhooks(self: ToileTask) -> None:
    """Send what is due."""
    send_due(self.runtime)

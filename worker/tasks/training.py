"""The task that trains."""

from celery import shared_task

from shared.queue.names import Task
from worker import attempt
from worker.jobs.training import train
from worker.tasks.base import ToileTask


@shared_task(name=Task.TRAIN.value, base=ToileTask, bind=True)
def train_model(self: ToileTask, job_id: str) -> None:
    """Run one training job until it ends or must stop."""
    attempt.run(self.runtime, job_id, train)

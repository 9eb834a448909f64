"""The task that takes garments in."""

from celery import shared_task

from shared.queue.names import Task
from worker import attempt
from worker.jobs.ingest import ingest_garments
from worker.tasks.base import ToileTask


@shared_task(name=Task.INGEST.value, base=ToileTask, bind=True)
def ingest(self: ToileTask, job_id: str) -> None:
    """Run one ingest job."""
    attempt.run(self.runtime, job_id, ingest_garments)

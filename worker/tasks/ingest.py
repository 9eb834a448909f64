"""The tasks that take garments in, and what feeds send."""

from celery import shared_task

from shared.queue.names import Task
from worker import attempt
from worker.jobs.feeds import add_batch
from worker.jobs.ingest import ingest_garments
from worker.tasks.base import ToileTask


@shared_task(name=Task.INGEST.value, base=ToileTask, bind=True)
def ingest(self: ToileTask, job_id: str) -> None:
    """Run one ingest job."""
    attempt.run(self.runtime, job_id, ingest_garments)


@shared_task(name=Task.FEED.value, base=ToileTask, bind=True)
def feed(self: ToileTask, job_id: str) -> None:
    """Run one job that adds a batch to a feed."""
    attempt.run(self.runtime, job_id, add_batch)

"""The task that keeps garment indexes up to their catalogs."""

from celery import shared_task

from shared.queue.names import Task
from worker.jobs.indexing import refresh_stale
from worker.tasks.base import ToileTask


@shared_task(name=Task.INDEX.value, base=ToileTask, bind=True)
def index(self: ToileTask) -> None:
    """Bring the indexes of catalogs that have grown up to their newest versions."""
    refresh_stale(self.runtime)

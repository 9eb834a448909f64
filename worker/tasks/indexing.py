"""The tasks that keep indexes and derivations up to their catalogs, and priors to shoppers."""

from celery import shared_task

from shared.queue.names import Task
from worker.jobs.derivations import derive_stale
from worker.jobs.indexing import refresh_stale
from worker.jobs.priors import learn_priors
from worker.tasks.base import ToileTask


@shared_task(name=Task.INDEX.value, base=ToileTask, bind=True)
def index(self: ToileTask) -> None:
    """Bring the indexes of catalogs that have grown up to their newest versions.

    Then tell again what is to be told of their garments.
    """
    refresh_stale(self.runtime)
    derive_stale(self.runtime)


@shared_task(name=Task.TASTES.value, base=ToileTask, bind=True)
def tastes(self: ToileTask) -> None:
    """Learn again what the shoppers of each site like on the whole."""
    learn_priors(self.runtime)

"""The usual worker over a simulated device: `celery -A tests.bench.simulated_worker worker`.

All but the loading of releases is the production code.
"""

from tests.bench.simulated import open_simulated
from worker.celery import app
from worker.jobs.designs import GENERATORS
from worker.jobs.generators import Loaded
from worker.runtime import Runtime

__all__ = ("app",)


def _load(runtime: Runtime, release_id: str) -> Loaded:
    return Loaded(open_simulated(runtime.records, runtime.store, release_id))


GENERATORS.load_with(_load)

"""Waiting for jobs to end: one look at the table for all who wait, however many."""

import logging
import threading
import time
from dataclasses import dataclass, field
from typing import Final

from shared.errors import DatabaseUnavailableError
from shared.records import Records, jobs

LOG: Final = logging.getLogger(__name__)

_PAUSE: Final = 0.015
"""Seconds between looks: half of it is what a wait adds to a job's time. A look takes a third of a
millisecond, so that this costs two hundredths of a core while anybody waits, and nothing else."""


@dataclass
class _Waited:
    ended: threading.Event = field(default_factory=threading.Event)
    by: int = 0


class Endings:
    """Wakes those who wait for a job. Its thread lives as long as somebody waits."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._lock = threading.Lock()
        self._waited: dict[str, _Waited] = {}
        self._looks = False

    def wait(self, job_id: str, seconds: float) -> None:
        """Return when a job is over, or after so many seconds."""
        with self._lock:
            waited = self._waited.setdefault(job_id, _Waited())
            waited.by += 1
            if not self._looks:
                self._looks = True
                threading.Thread(target=self._look_on, name="endings", daemon=True).start()
        try:
            waited.ended.wait(seconds)
        finally:
            self._leave(job_id, waited)

    def _leave(self, job_id: str, waited: _Waited) -> None:
        with self._lock:
            waited.by -= 1
            if not waited.by and self._waited.get(job_id) is waited:
                del self._waited[job_id]

    def _look_on(self) -> None:
        while True:
            with self._lock:
                if not self._waited:
                    self._looks = False
                    return
                here = dict(self._waited)
            try:
                with self._records.glance() as tx:
                    ended = jobs.ended(tx, list(here))
            except DatabaseUnavailableError as error:
                LOG.warning("Nobody is told that a job is over: %s", error)
                ended = []
            for job_id in ended:
                here[job_id].ended.set()
            time.sleep(_PAUSE)

"""A database that is away for the publisher alone: the worker goes on, and the jobs come again."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from shared.records import Records, Transaction, jobs
from tests.fixtures.painter import Painter
from tests.fixtures.rows import a_design_job, a_release, a_site
from worker.jobs.designs import drain
from worker.jobs.generators import Generators, Loaded
from worker.runtime import Runtime


class AwayForThePublisher(Records):
    """Refuses the next transactions of one thread."""

    left = 0

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        if threading.current_thread().name == "publisher" and self.left > 0:
            self.left -= 1
            raise RuntimeError("the connection broke in a way that nobody knows")
        with super().transaction() as tx:
            yield tx


def test_a_publisher_that_cannot_even_write_an_error_down_goes_on_with_the_next_batch(
    runtime: Runtime,
) -> None:
    site = a_site(runtime.records)
    release = a_release(runtime.records, site).id
    waiting = [a_design_job(runtime.records, site, release, count=60) for _ in range(5)]
    records = AwayForThePublisher(runtime.settings.database)
    records.left = 2  # the publication of the first batch, and the word that it failed
    generators = Generators(lambda _runtime, _release: Loaded(Painter()))
    away = replace(runtime, records=records)
    worker = threading.Thread(target=drain, args=(away, release, generators), daemon=True)
    worker.start()
    worker.join(30)
    assert not worker.is_alive(), "the worker waits for a publisher that is gone"
    with runtime.records.reading() as tx:
        states = [jobs.get(tx, job.id).state for job in waiting]
    assert states == ["running", *["succeeded"] * 4]  # the first one's lease runs out
    records.close()

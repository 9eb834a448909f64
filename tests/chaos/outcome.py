"""A sound outcome of a few jobs of each kind, made without processes, to try the count on."""

import hashlib
from dataclasses import dataclass
from typing import Any

from shared import ids
from shared.artifacts import keys
from shared.jobs import ends, lifecycle
from shared.jobs.submit import Asked, enqueue, submit_all
from shared.records import Transaction, forecasts, models, reports
from shared.schemas.jobs import (
    Budget,
    DesignSpec,
    JobRecord,
    JobState,
    Spec,
    TrainingSpec,
    TrendSpec,
)
from shared.schemas.trends import TrendOptions
from tests.chaos import counting
from tests.chaos.counting import Books
from tests.chaos.ledger import Ledger, Promise
from tests.fixtures.painter import Painter
from tests.fixtures.rows import a_release, a_site, an_ingest_job
from worker.jobs.designs import drain
from worker.jobs.generators import Generators, Loaded
from worker.runtime import Runtime

WEIGHTS = b"weights"


@dataclass
class Outcome:
    """Rows, files and promises that belong together."""

    runtime: Runtime
    ledger: Ledger
    known: frozenset[str]
    site: str
    designs: list[str]
    training: str
    report: str

    def books(self) -> Books:
        """Read all that counts."""
        return counting.read_books(self.runtime.records, self.runtime.store, known=self.known)


def loads(files: Any) -> str | None:
    """Stand for a release that draws: its weights are these very bytes."""
    return None if files["generator.npz"] == WEIGHTS else "its weights are others"


def sound_outcome(runtime: Runtime) -> Outcome:
    """Return six designs of four jobs, one of which took two tries, a training and a report."""
    site = a_site(runtime.records)
    planted = a_release(runtime.records, site)
    catalog = an_ingest_job(runtime.records, site, catalog="garments")
    known = frozenset({planted.job_id, catalog.id})
    ledger = Ledger()
    made = _designs(runtime, site, planted.id, ledger)
    training = _training(runtime, site, str(catalog.spec["catalog_id"]), ledger)
    report = _report(runtime, site, ledger)
    return Outcome(runtime, ledger, known, site, made, training, report)


def _designs(runtime: Runtime, site: str, release: str, ledger: Ledger) -> list[str]:
    specs = [
        DesignSpec(release_id=release, count=count, condition={}, seed=seed, size=32, format="png")
        for count, seed in ((1, 10), (2, 20), (1, 30), (2, 40))
    ]
    several = submit_all(
        runtime.records, runtime.sender, site, [Asked(one) for one in specs[:2]],
        idempotency_key="both",
    )  # fmt: skip
    singles = [
        submit_all(
            runtime.records, runtime.sender, site, [Asked(one)], idempotency_key=f"key{place}"
        )
        for place, one in enumerate(specs[2:])
    ]
    for key, jobs in [("both", several), *((f"key{n}", one) for n, one in enumerate(singles))]:
        asked = [{"count": job.spec["count"], "seed": job.spec["seed"]} for job in jobs]
        answer = tuple(job.id for job in jobs)
        ledger.accepted(key, Promise("design", "shop", asked), answer)
        ledger.accepted(key, Promise("design", "shop", asked), answer)  # its first answer was lost
    _lose_once(runtime, several[0])
    drain(runtime, release, Generators(lambda _runtime, _release: Loaded(Painter())))
    return [job.id for job in [*several, *(one for (one,) in singles)]]


def _lose_once(runtime: Runtime, job: JobRecord) -> None:
    with runtime.records.transaction() as tx:
        held = _claimed(tx, job)
        lifecycle.put_back(tx, held, reason="lost_worker", delay=-runtime.lease)


def _claimed(tx: Transaction, job: JobRecord) -> JobRecord:
    lease = ends.LONGEST_DELAY
    held = lifecycle.claim(tx, job.id, worker="tests:1", lease=lease, max_attempts=5)
    assert held is not None
    return held


def _promised(tx: Transaction, site: str, spec: Spec, ledger: Ledger, key: str) -> JobRecord:
    job = enqueue(tx, site, spec, idempotency_key=key)
    ledger.accepted(key, Promise(str(spec.kind), "shop", [{}]), (job.id,))
    return _claimed(tx, job)


def _training(runtime: Runtime, site: str, catalog: str, ledger: Ledger) -> str:
    spec = TrainingSpec(
        catalog_id=catalog, catalog_version=1, model="model", size=32, seed=0,
        budget=Budget(images=64), attributes=(),
    )  # fmt: skip
    release_id = ids.new_id(ids.RELEASE)
    for name in ("generator.npz", "generator.json", "card.json", "card.html", "grid.png"):
        runtime.store.put(keys.release_file(release_id, name), WEIGHTS)
    with runtime.records.transaction() as tx:
        job = _promised(tx, site, spec, ledger, "training")
        models.publish(
            tx, site, model="model", release_id=release_id,
            values={
                "job_id": job.id, "catalog_id": catalog, "catalog_version": 1, "size": 32,
                "channels": 3, "vocabulary": {}, "card": {},
                "artifact": keys.release(release_id), "sha256": "0" * 64,
            },
        )  # fmt: skip
        lifecycle.finish(tx, job, JobState.SUCCEEDED, result={"release_id": release_id})
    return job.id


def _report(runtime: Runtime, site: str, ledger: Ledger) -> str:
    report_id = ids.new_id(ids.REPORT)
    page = runtime.store.put(keys.report_file(report_id, "report.html"), b"<html></html>")
    issued = runtime.store.put(keys.report_file(report_id, "issued.npz"), b"issued")
    with runtime.records.transaction() as tx:
        job = _promised(tx, site, TrendSpec(options=TrendOptions()), ledger, "report")
        reports.publish(
            tx,
            {
                "id": report_id, "site_id": site, "job_id": job.id, "catalog_id": None,
                "data_fingerprint": "f" * 64, "summary": {}, "files": {"report.html": page.key},
            },
        )  # fmt: skip
        forecasts.publish(
            tx,
            {
                "report_id": report_id, "site_id": site, "catalog_id": None, "period": "month",
                "origin": tx.now.date(), "artifact": issued.key,
                "sha256": hashlib.sha256(b"issued").hexdigest(),
            },
        )  # fmt: skip
        lifecycle.finish(tx, job, JobState.SUCCEEDED, result={"report_id": report_id})
    return job.id

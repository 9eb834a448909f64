"""Asking for the moodboards of a report, with the report: who draws them, or why nobody does."""

import secrets
from dataclasses import dataclass, field
from typing import Any, Final

from shared.jobs.submit import enqueue, send
from shared.records import Transaction
from shared.schemas.jobs import JobRecord, MoodboardSpec
from shared.schemas.trends import TrendReport
from worker.jobs.moodboards import USUAL_COUNT, USUAL_RACK, chosen_release
from worker.runtime import Runtime

_SEEDS: Final = 2**31
OFF: Final = "TOILE_TREND_MOODBOARDS is off; ask for moodboards of this report by hand."


@dataclass(frozen=True)
class BoardWish:
    """Moodboards to be asked for in the transaction that publishes their report.

    Attributes:
        spec: the job, or None.
        why: why there is none; empty where there is one.
    """

    runtime: Runtime
    site_id: str
    spec: MoodboardSpec | None
    why: str
    _queued: list[JobRecord] = field(default_factory=list)

    def enqueue(self, tx: Transaction) -> dict[str, Any]:
        """Write the job's row; returns what the report's row says of its moodboards."""
        if self.spec is None:
            return {"why": self.why}
        job = enqueue(tx, self.site_id, self.spec)
        self._queued.append(job)
        return {"job_id": job.id, "release_id": self.spec.release_id}

    def send(self) -> None:
        """Tell a worker, once the row is on disk."""
        send(self.runtime.records, self.runtime.sender, self._queued)


def wanted_boards(
    runtime: Runtime, site_id: str, catalog_id: str | None, report: TrendReport, report_id: str
) -> BoardWish:
    """Return what is to be asked for beside a new report.

    Args:
        runtime: this process' ways out.
        site_id: whose report it is.
        catalog_id: over which garments; None: over all of the site's.
        report: with the evidence of its rises.
        report_id: the id that it is published under.
    """
    if not runtime.settings.trend_moodboards:
        return BoardWish(runtime, site_id, None, OFF)
    with runtime.records.reading() as tx:
        release, why = chosen_release(tx, site_id, report, catalog_id)
    if release is None:
        return BoardWish(runtime, site_id, None, why)
    spec = MoodboardSpec(
        report_id=report_id,
        release_id=release.id,
        count=USUAL_COUNT,
        rack=USUAL_RACK,
        seed=secrets.randbelow(_SEEDS),
    )
    return BoardWish(runtime, site_id, spec, "")

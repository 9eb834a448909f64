"""Which way designs lean: from a trend report's verdicts to the growth of values."""

import math
from typing import Final

import numpy as np

from shared.errors import ConflictError
from shared.schemas.jobs import DesignSpec, JobRecord
from worker.designs.leaning import Lean
from worker.jobs.meaning import issued_by
from worker.runtime import Runtime
from worker.trends.issued import Issued

MOST_GROWTH: Final = math.log(2)
_MOVING: Final = frozenset({"rising", "declining"})
_LEAST: Final = 1e-3  # a share that falls to nothing has no logarithm


class Leans:
    """The leans of one batch; each report is read once."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._growth: dict[str, dict[tuple[str, str], float]] = {}

    def of(self, job: JobRecord, spec: DesignSpec) -> Lean | None:
        """Return a job's lean; None where it has none.

        Raises:
            ConflictError: what the report issued is not kept, or cannot be read.
        """
        if spec.trend is None:
            return None
        report_id = spec.trend.report_id
        if report_id not in self._growth:
            with self._runtime.records.reading() as tx:
                issued = issued_by(self._runtime, tx, report_id)
            if issued is None:
                raise ConflictError(
                    f"What trend report {report_id} said is not kept, so job {job.id} has nothing "
                    "to lean towards. Make a new report, and ask again.",
                    report=report_id,
                )
            self._growth[report_id] = growth_of(issued)
        return Lean(spec.trend.strength, report_id, self._growth[report_id])


def growth_of(issued: Issued) -> dict[tuple[str, str], float]:
    """Return the log of the growth of each value that moves by more than chance.

    What is expected counts where its 80% interval excludes no change; else what was seen, where the
    value is called rising or declining. Held within a doubling and a halving.
    """
    found: dict[tuple[str, str], float] = {}
    for row, key in enumerate(issued.keys):
        if key.segment is not None:
            continue
        relative = np.nan
        if issued.direction[row]:
            relative = issued.outlook[row]
        elif issued.kinds[row] in _MOVING:
            relative = issued.change[row]
        if np.isfinite(relative):
            growth = math.log(max(1 + float(relative), _LEAST))
            found[key.attribute, key.value] = min(max(growth, -MOST_GROWTH), MOST_GROWTH)
    return found

"""What sites used: each job's share of its batch, and the bytes that are kept."""

import logging
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Final

from shared.records import usage
from shared.records.usage import Used
from shared.schemas.jobs import JobRecord
from shared.schemas.usage import MICRO, Measure
from worker.runtime import Runtime

LOG: Final = logging.getLogger(__name__)


def shares(total: int, parts: Sequence[int]) -> list[int]:
    """Share a whole number out in proportion to some parts; the shares add up to it exactly.

    Args:
        total: what is shared, 0 or more.
        parts: whole numbers, 0 or more; where all are 0, the first gets all.
    """
    whole = sum(parts)
    if not whole:
        return [total, *([0] * (len(parts) - 1))] if parts else []
    bounds = [total * upto // whole for upto in accumulate(parts, initial=0)]
    return [high - low for low, high in pairwise(bounds)]


def used_by(
    jobs: Sequence[JobRecord],
    *,
    seconds: float,
    ended: Collection[str],
    designs: Sequence[str],
) -> Iterator[Used]:
    """Yield what the jobs of a batch used, to be added where they end.

    The device's time is shared by the images that each was made for. A member that was cancelled,
    failed, or is another worker's by now costs nothing: its share is nobody's.

    Args:
        jobs: all members of the batch.
        seconds: what the device took for all.
        ended: those that ended well, by id.
        designs: the job of each design that is published.
    """
    made = Counter(designs)
    device = shares(round(seconds * MICRO), [job.units for job in jobs])
    for job, share in zip(jobs, device, strict=True):
        if job.id in ended:
            yield Used(job.site_id, Measure.DESIGNS, made[job.id])
            yield Used(job.site_id, Measure.IMAGES, job.units)
            yield Used(job.site_id, Measure.DEVICE, share)


def used_alone(site_id: str, *, designs: int, seconds: float) -> Iterator[Used]:
    """Yield what a job used that had the device for itself: one image a design."""
    yield Used(site_id, Measure.DESIGNS, designs)
    yield Used(site_id, Measure.IMAGES, designs)
    yield Used(site_id, Measure.DEVICE, round(seconds * MICRO))


def measure_storage(runtime: Runtime) -> int:
    """Measure what is kept for each site, and write it down; returns how many sites there are.

    Each site in a transaction of its own, so that nobody waits long. Two at once do no harm.
    """
    with runtime.records.reading() as tx:
        sites = usage.site_ids(tx)
    for site_id in sites:
        with runtime.records.reading() as tx:
            size = usage.storage(tx, site_id)
        with runtime.records.transaction() as tx:
            usage.write_storage(tx, site_id, size)
    LOG.info("Measured what is kept for %d sites", len(sites))
    return len(sites)

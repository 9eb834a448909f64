"""The mark and the id of each design, known before it is encoded."""

from shared import ids
from shared.provenance.mark import creator_tool, stamp
from shared.schemas.jobs import DesignSpec
from shared.schemas.provenance import Mark
from worker.designs.batch import seeds_of


def design_id(job_id: str, position: int) -> str:
    """Return a design's id, which its picture carries.

    It follows from the job and the place in it, so that an attempt that is repeated writes the
    same bytes again.
    """
    return ids.derived_id(ids.DESIGN, job_id, position)


def stamp_of(job_id: str, spec: DesignSpec, position: int) -> bytes:
    """Return the XMP packet that the picture at a job's position (from 0) carries."""
    mark = Mark(
        release_id=spec.release_id,
        seed=seeds_of(spec)[position],
        job_id=job_id,
        design_id=design_id(job_id, position),
        tool=creator_tool(),
    )
    return stamp(mark)

"""The mark that each picture carries."""

from shared.provenance.mark import creator_tool, stamp
from shared.schemas.provenance import Mark
from worker.designs.batch import Drawn


def stamp_of(release_id: str, drawn: Drawn) -> bytes:
    """Return the XMP packet that a design's picture carries.

    It names what makes the picture again, and not the job that made it: the same request gives the
    same bytes, whichever job it came with. A signed copy names job and design as well.
    """
    mark = Mark(release_id=release_id, seed=drawn.order.seed, tool=creator_tool())
    return stamp(mark)

"""The mark that each picture carries."""

from shared.provenance.mark import around_seed, creator_tool
from worker.designs.batch import Drawn


def stamp_of(release_id: str, drawn: Drawn) -> bytes:
    """Return the XMP packet that a design's picture carries.

    It names what makes the picture again, and not the job that made it: the same request gives the
    same bytes, whichever job it came with. A signed copy names job and design as well.
    """
    before, after = around_seed(release_id, creator_tool())
    return b"%s%d%s" % (before, drawn.order.seed, after)

"""What can be proved of a file that somebody sends: by its bytes, its metadata, and its pixels.

From the strongest on, the first that holds is the answer:

1. Its bytes are a stored design's.
2. Its mark names a design of the site, and every decoded pixel is that design's.
3. Its pixels look like a design of the site: a near perceptual hash, confirmed by a thumbnail. The
   one that its mark names is looked at first.
4. Its mark names a design of the site that looks different: the mark is forged, or the picture is.

Only the asking site's designs are looked at. A mark that names another site's design is answered
as one that names none.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from shared.errors import NotFoundError
from shared.keeping.checked import require_whole
from shared.pictures.likeness import SAME, differences
from shared.provenance.apart import look_apart
from shared.provenance.mark import creator_tool
from shared.provenance.opened import Opened, look
from shared.records import designs
from shared.records.designs import DesignPlace, NearDesigns
from shared.schemas.designs import Design
from shared.schemas.provenance import Evidence, Manifest, Mark, Provenance
from web import answers, auth
from web.runtime import runtime

_64_BITS = 2**64 - 1
_MOST_NAMED = 8


@dataclass(frozen=True)
class _Compared:
    """A picture beside a stored design."""

    design: Design
    same_pixels: bool
    distance: int
    difference: float

    @property
    def looks_the_same(self) -> bool:
        return self.same_pixels or (self.difference < SAME and self.distance <= designs.NEAR)


def judge(content: bytes) -> Provenance:
    """Say what can be proved of a file.

    Raises:
        UnreadableSourceError: it is no picture that can be read.
        TooLargeError: it has too many pixels or frames.
        NotFoundError: a design that it resembles has lost its bytes.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    with runtime().looking:
        opened = look_apart(content)
    manifest = runtime().signing.check(content, media_type=opened.media_type)
    exact = _stored(sha256)
    if exact is not None:
        return _answer(Evidence.EXACT, sha256, opened, manifest, design=exact.design)
    return _by_look(sha256, opened, manifest)


def mark_of(design: Design) -> Mark:
    """Return the mark of a design."""
    return Mark(
        release_id=design.release_id,
        seed=design.seed,
        job_id=design.job_id,
        design_id=design.id,
        tool=creator_tool(),
    )


def stored_picture(place: DesignPlace) -> bytes:
    """Return the stored bytes of a design's picture.

    Raises:
        NotFoundError: the row is there, the bytes are not.
        ArtifactDamagedError: they are not the bytes that were stored.
    """
    return answers.from_store(lambda: _read(place), f"design {place.design.id}")


def _read(place: DesignPlace) -> bytes:
    store = runtime().store
    if place.length is None:
        data = store.read(place.artifact)
    else:
        data = store.read_range(place.artifact, place.start, place.length)
    return require_whole(data, place.design.sha256, place.artifact)


def _by_look(sha256: str, opened: Opened, manifest: Manifest) -> Provenance:
    claimed = _claimed(opened)
    if claimed is not None and claimed.looks_the_same:
        evidence = Evidence.METADATA if claimed.same_pixels else Evidence.SIMILAR
        return _answer(evidence, sha256, opened, manifest, compared=claimed)
    near = _near(opened)
    likest = _likest(opened, near)
    if likest is not None:
        return _answer(
            Evidence.SIMILAR, sha256, opened, manifest, compared=likest, searched=near.searched
        )
    evidence = Evidence.NONE if claimed is None else Evidence.METADATA_ONLY
    return _answer(evidence, sha256, opened, manifest, compared=claimed, searched=near.searched)


def _answer(
    evidence: Evidence,
    sha256: str,
    opened: Opened,
    manifest: Manifest,
    *,
    design: Design | None = None,
    compared: _Compared | None = None,
    searched: int = 0,
) -> Provenance:
    told = Provenance(
        sha256=sha256,
        evidence=evidence,
        worth=evidence.worth,
        design=design,
        same_pixels=None if design is None else True,
        searched=searched,
        mark=opened.mark,
        manifest=manifest,
    )
    if compared is None:
        return told
    return told.model_copy(
        update={
            "design": compared.design,
            "same_pixels": compared.same_pixels,
            "distance": compared.distance,
            "difference": round(compared.difference, 2),
        }
    )


def _stored(sha256: str) -> DesignPlace | None:
    with runtime().records.reading() as tx:
        return designs.by_sha256(tx, auth.site_id(), sha256)


def _near(opened: Opened) -> NearDesigns:
    with runtime().records.reading() as tx:
        return designs.near(tx, auth.site_id(), opened.perceptual_hash)


def _claimed(opened: Opened) -> _Compared | None:
    """Compare with the designs that the mark speaks of; None where the site has no such design."""
    if opened.mark is None:
        return None
    named = [_compare(opened, place) for place in _named(opened.mark)]
    return min(named, key=lambda one: (not one.same_pixels, one.difference), default=None)


def _named(mark: Mark) -> list[DesignPlace]:
    """Return the design that a mark names, or those of its release and seed."""
    with runtime().records.reading() as tx:
        if mark.design_id is None:
            return designs.of_seed(tx, auth.site_id(), mark.release_id, mark.seed, most=_MOST_NAMED)
        try:
            return [designs.get(tx, auth.site_id(), mark.design_id)]
        except NotFoundError:
            return []


def _likest(opened: Opened, near: NearDesigns) -> _Compared | None:
    found = _confirmed(_compare(opened, _place(design_id)) for design_id, _ in near.found)
    return min(found, key=lambda one: (not one.same_pixels, one.difference), default=None)


def _confirmed(compared: Iterable[_Compared]) -> list[_Compared]:
    return [one for one in compared if one.looks_the_same]


def _place(design_id: str) -> DesignPlace:
    with runtime().records.reading() as tx:
        return designs.get(tx, auth.site_id(), design_id)


def _compare(opened: Opened, place: DesignPlace) -> _Compared:
    stored = look(stored_picture(place))
    away = (opened.perceptual_hash ^ stored.perceptual_hash) & _64_BITS
    return _Compared(
        design=place.design,
        same_pixels=opened.pixels_sha256 == stored.pixels_sha256,
        distance=away.bit_count(),
        difference=float(differences(opened.thumbnail, stored.thumbnail)[0]),
    )

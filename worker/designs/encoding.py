"""From drawn images to encoded pictures, with what makes each of them again."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from shared.colour import lab_to_hex
from shared.pictures.likeness import as_signed, perceptual_hashes
from shared.schemas.designs import ImageFormat, Mix, Origin, Variation, Walk
from shared.schemas.jobs import DesignSpec
from worker.designs.batch import Drawn, Generates, Member, draw
from worker.designs.images import animate, encode
from worker.designs.marks import stamp_of
from worker.designs.orders import is_own


@dataclass(frozen=True)
class Picture:
    """One encoded design, and what makes it again.

    Attributes:
        drawn: as the device made it; of an animation, its first frame.
        data: the file.
        image_format: of the file.
        frames: more than 1 for an animation.
    """

    drawn: Drawn
    data: bytes
    image_format: ImageFormat
    frames: int = 1

    @property
    def seed(self) -> int:
        """The design's seed."""
        return self.drawn.order.seed

    @property
    def condition(self) -> Mapping[str, str]:
        """What it was made under, whole."""
        return self.drawn.condition

    def as_columns(self, spec: DesignSpec) -> dict[str, Any]:
        """Return what a record of it says, beyond whose it is and where its bytes are.

        Its perceptual hash is not among it: `hashes_of` makes those of a batch at once.
        """
        drawn = self.drawn
        reasons = drawn.reasons
        return {
            "seed": self.seed,
            "condition": dict(self.condition),
            "length": len(self.data),
            "sha256": hashlib.sha256(self.data).hexdigest(),
            "frames": self.frames,
            "origin": _origin(spec, drawn),
            "colours": _codes(drawn),
            "embedding": None
            if drawn.embedding is None
            else drawn.embedding.astype("<f2").tobytes(),
            "score": drawn.score,
            "reasons": None if reasons is None else [one.model_dump() for one in reasons],
        }


@dataclass(frozen=True)
class Made:
    """What one member of a batch came to: its pictures, or why there are none."""

    pictures: tuple[Picture, ...] = ()
    error: Exception | None = None
    told: Mapping[str, Any] | None = None


def make(
    generator: Generates,
    specs: Sequence[DesignSpec],
    *,
    is_wanted: Callable[[int], bool] = lambda _index: True,
) -> list[Made]:
    """Draw and encode all members, in this thread; `draw` and `encoded` are the two halves.

    Args:
        generator: the release's generator.
        specs: what each member asks for.
        is_wanted: asked after the forward pass, by the member's place: one that was cancelled
            meanwhile is not encoded.
    """
    drawn = draw(generator, specs)
    return [encoded(member) if is_wanted(index) else Made() for index, member in enumerate(drawn)]


def encoded(member: Member) -> Made:
    """Encode what was drawn for a member; what goes wrong is this member's alone."""
    if member.error is not None:
        return Made(error=member.error)
    try:
        if isinstance(member.spec.way, Walk):
            return Made((_animation(member, member.spec.way),), told=member.told)
        return Made(tuple(_picture(member.spec, one) for one in member.drawn), told=member.told)
    except (OSError, ValueError) as error:
        return Made(error=error)


def hashes_of(pictures: Sequence[Picture]) -> list[int]:
    """Return the pictures' perceptual hashes, signed; all are of one generator's size.

    At once, because for small pictures NumPy's calls take longer than its arithmetic.
    """
    if not pictures:
        return []
    return as_signed(perceptual_hashes(np.stack([one.drawn.pixels for one in pictures])))


def _picture(spec: DesignSpec, drawn: Drawn) -> Picture:
    xmp = stamp_of(spec.release_id, drawn)
    data = encode(drawn.pixels, size=spec.size, image_format=spec.format, xmp=xmp)
    return Picture(drawn, data, spec.format)


def _animation(member: Member, walk: Walk) -> Picture:
    spec, frames = member.spec, [one.pixels for one in member.drawn]
    first = member.drawn[0]
    xmp = stamp_of(spec.release_id, first)
    data = animate(frames, size=spec.size, milliseconds=walk.frame_milliseconds, xmp=xmp)
    return Picture(first, data, ImageFormat.WEBP, frames=len(frames))


def _origin(spec: DesignSpec, drawn: Drawn) -> dict[str, Any] | None:
    """Return how the latent came about; None where it is the seed's own, as most are."""
    latent = drawn.order.latent
    of: tuple[str, ...] = ()
    if isinstance(spec.way, Variation):
        of = (spec.way.of,)
    elif isinstance(spec.way, Mix | Walk):
        of = spec.way.of
    if not of and is_own(latent, drawn.order.seed):
        return None
    return Origin(way=spec.way.type, of=of, latent=latent).model_dump(mode="json")


def _codes(drawn: Drawn) -> list[str] | None:
    if drawn.colours is None:
        return None
    return [lab_to_hex(lab) for lab in drawn.colours if not np.isnan(lab).any()]

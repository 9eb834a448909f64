"""Provenance: what a picture says of itself, and what can be proved of a file that comes back."""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from shared.schemas.base import Schema
from shared.schemas.designs import Design

MADE_BY_MODEL: Final = (
    "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"  # as IPTC writes it
)

Text = Annotated[str, StringConstraints(max_length=200)]


class Mark(Schema):
    """What a picture says of itself; anyone can write one, so alone it proves nothing."""

    release_id: Text
    seed: int
    job_id: Text | None = Field(
        None, description="Only in signed copies: equal requests are stored as equal bytes."
    )
    design_id: Text | None = Field(None, description="As `job_id`.")
    tool: Text = Field(description="What made it, such as `Toile 0.1.0`.")
    source_type: Text = Field(MADE_BY_MODEL, description="IPTC's digital source type.")


class Evidence(StrEnum):
    """The best evidence that a file is one of the site's designs, strongest first."""

    EXACT = "exact"
    METADATA = "metadata"
    SIMILAR = "similar"
    METADATA_ONLY = "metadata_only"
    NONE = "none"

    @property
    def worth(self) -> str:
        """What this kind of evidence is worth, in a sentence for people."""
        return _WORTH[self]


_WORTH: Final = {
    Evidence.EXACT: "The file is, byte for byte, a design that this server made and keeps.",
    Evidence.METADATA: "The file names a design of this site, and every pixel of it is that "
    "design's. Bytes around the pixels were changed since.",
    Evidence.SIMILAR: "The file looks like a design of this site: a copy that was resized, "
    "recompressed or lightly edited, or, rarely, another picture that looks the same.",
    Evidence.METADATA_ONLY: "The file names a design of this site but shows something else. "
    "Metadata can be written by anyone: take it as forged, or the picture as heavily edited.",
    Evidence.NONE: "Nothing links the file to a design of this site. That does not prove that no "
    "model made it, nor that this server did not: a strong edit or crop leaves nothing to find.",
}


class ManifestState(StrEnum):
    """What became of a C2PA manifest."""

    ABSENT = "absent"
    VALID = "valid"
    INVALID = "invalid"
    NOT_CHECKED = "not_checked"


class Signer(StrEnum):
    """Whose certificate signed a manifest."""

    OURS = "ours"
    TRUSTED = "trusted"
    UNKNOWN = "unknown"


class Manifest(Schema):
    """The C2PA manifest of a file; whoever signed it vouches for it, and nobody else does."""

    state: ManifestState = Field(
        description="`valid`: signed, and not changed since; says nothing of who signed. "
        "`not_checked`: the server has no C2PA library (the extra `c2pa`)."
    )
    signer: Signer | None = Field(
        None, description="`ours`, `trusted` (TOILE_C2PA_TRUST), or `unknown`: anyone at all."
    )
    issuer: str | None = Field(None, description="Organisation in the signer's certificate.")
    common_name: str | None = Field(None, description="Name in the signer's certificate.")
    generator: str | None = Field(None, description="What claims to have made the file.")
    source_type: str | None = Field(None, description="IPTC's digital source type.")
    design_id: str | None = Field(None, description="The design of Toile's own assertion.")
    problems: tuple[str, ...] = Field((), description="C2PA's codes of what does not hold.")


class Provenance(Schema):
    """What can be proved of a file, as far as the asking site's own designs go."""

    sha256: str = Field(description="Of the file, in hex.")
    evidence: Evidence
    worth: str = Field(description="What this evidence is worth.")
    design: Design | None = Field(
        None, description="The design: when and with what it was made. Under `metadata_only`, the "
        "one that the file wrongly names.",
    )  # fmt: skip
    same_pixels: bool | None = Field(
        None, description="Whether all decoded pixels are the design's; unset without a design."
    )
    distance: int | None = Field(
        None, ge=0, le=64, description="Bits of 64 in which the perceptual hashes differ."
    )
    difference: float | None = Field(
        None, ge=0, description="How far thumbnails differ, mean of 255 levels; below 10 is alike."
    )
    searched: int = Field(0, description="Newest designs whose hashes were looked through.")
    mark: Mark | None = Field(None, description="What the file's own XMP says, true or not.")
    manifest: Manifest

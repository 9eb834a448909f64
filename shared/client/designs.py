"""Designs, and what is made from them."""

from collections.abc import Sequence
from pathlib import Path

from shared.client.calls import UPLOAD_SECONDS, Calls, body_of, part_of
from shared.client.http import Part, Request
from shared.schemas.designs import (
    Design,
    DesignBatch,
    DesignRequest,
    MixRequest,
    VariationRequest,
    WalkRequest,
)
from shared.schemas.jobs import Job, JobBatch
from shared.schemas.links import Link, LinkBatch, LinkRequest
from shared.schemas.provenance import Provenance
from shared.schemas.variants import PictureFormat, Variant


class DesignCalls(Calls):
    """Designs, and what is made from them."""

    def design(self, request: DesignRequest) -> Job:
        """Make designs."""
        return self._post("/v1/design-jobs", Job, json_body=body_of(request))

    def design_all(self, requests: Sequence[DesignRequest]) -> list[Job]:
        """Ask for up to a thousand times designs: all are taken, or none."""
        body = body_of(DesignBatch(requests=tuple(requests)))
        return list(self._post("/v1/design-jobs/batch", JobBatch, json_body=body).jobs)

    def vary(self, design_id: str, request: VariationRequest | None = None) -> Job:
        """Make designs around one."""
        path = f"/v1/designs/{part_of(design_id)}/variations"
        return self._post(path, Job, json_body=body_of(request or VariationRequest()))

    def mix(self, request: MixRequest) -> Job:
        """Make designs between two."""
        return self._post("/v1/designs/mix", Job, json_body=body_of(request))

    def walk(self, request: WalkRequest) -> Job:
        """Make an animation from one design to another."""
        return self._post("/v1/designs/walk", Job, json_body=body_of(request))

    def designs(self, job_id: str) -> list[Design]:
        """Return the designs of a job, in their order."""
        found = self._every("/v1/designs", Design, query={"job": job_id})
        return sorted(found, key=lambda design: design.position)

    def provenance(self, picture: Path) -> Provenance:
        """Return what the server can prove of a PNG, WebP, JPEG or AVIF file: is it a design?

        Raises:
            ApiError: the file cannot be read as a picture, or is too large.
        """
        part = Part("image", picture, picture.name)
        request = Request("POST", "/v1/provenance", file=part, seconds=UPLOAD_SECONDS)
        return self._read(request, Provenance)

    def links(
        self,
        paths: Sequence[str],
        *,
        variant: Variant | None = None,
        picture_format: PictureFormat | None = None,
        expires_in: int | None = None,
    ) -> tuple[Link, ...]:
        """Return addresses that a page can read without a key, in the order of their paths."""
        asked = LinkRequest(
            paths=tuple(paths), variant=variant, format=picture_format, expires_in=expires_in
        )
        body = asked.model_dump(mode="json", exclude_none=True)
        return self._post("/v1/links", LinkBatch, json_body=body).links

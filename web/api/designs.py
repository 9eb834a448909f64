"""Designs: asking for them, and reading them with their pictures."""

from typing import Final

from flask import Response, request
from pydantic import Field

from shared.records import designs, shoppers
from shared.records.designs import DesignPlace
from shared.schemas.base import Schema
from shared.schemas.designs import (
    Design,
    DesignBatch,
    DesignRequest,
    MixRequest,
    VariationRequest,
    WalkRequest,
)
from shared.schemas.jobs import JobBatch
from shared.schemas.listing import Listing
from shared.schemas.shoppers import SimilarGarments
from shared.schemas.variants import PictureQuery
from web import answers, asking, auth, deriving, pictures, recommending
from web.accept import Promise, accept, accept_all
from web.api.noun import (
    FOR_SHOPPERS,
    ListQuery,
    SimilarQuery,
    accepted_job,
    binary,
    not_modified,
    noun,
    problems,
)
from web.evidence import mark_of, stored_picture
from web.runtime import runtime

api: Final = noun("designs", "Generated garments.")


class DesignPath(Schema):
    """A design by id."""

    design: str = Field(description="Design id.")


class DesignQuery(ListQuery):
    """Which designs to list."""

    job: str | None = Field(None, description="Only those of this job.")
    release: str | None = Field(None, description="Only those of this release.")
    shopper: str | None = Field(None, description="Only those for this shopper, by your reference.")


class ImageQuery(PictureQuery):
    """How a design's picture is wanted."""

    signed: bool = Field(
        False,
        description="Whether a signed C2PA manifest is added; its pixels stay the same.",
    )


class SimilarDesignQuery(SimilarQuery):
    """Which garments to find."""

    catalog: str | None = Field(
        None, description="Catalog id or name; unset, the one whose encoder saw the design."
    )


class DesignList(Listing[Design]):
    """A page of designs."""


@api.post(
    "/design-jobs",
    responses={"202": accepted_job(), **problems(400, 413, 415, 429)},
    security=FOR_SHOPPERS,
)
@auth.for_shoppers
def design(body: DesignRequest, header: Promise) -> Response:
    """Ask for designs; the job's result names them, with their seeds and pictures.

    A shopper's session asks for its own shopper, named or not.
    """
    return accept(header, request.get_json(), lambda: asking.one(asking.own(body)))


@api.post("/design-jobs/batch", responses={"202": JobBatch, **problems(400, 413, 415, 429)})
def design_batch(body: DesignBatch, header: Promise) -> Response:
    """Ask for up to a thousand times designs: all are taken, in one go, or none is."""
    return accept_all(
        header,
        request.get_json(),
        lambda: asking.several(body.requests),
        count=len(body.requests),
    )


@api.post(
    "/designs/<design>/variations",
    responses={"202": accepted_job(), **problems(400, 413, 415, 429)},
    security=FOR_SHOPPERS,
)
@auth.for_shoppers
def vary(path: DesignPath, body: VariationRequest, header: Promise) -> Response:
    """Ask for designs around one that there is."""
    return accept(header, request.get_json(), lambda: deriving.variation(path.design, body))


@api.post(
    "/designs/mix",
    responses={"202": accepted_job(), **problems(400, 413, 415, 429)},
    security=FOR_SHOPPERS,
)
@auth.for_shoppers
def mix(body: MixRequest, header: Promise) -> Response:
    """Ask for designs between two of one release."""
    return accept(header, request.get_json(), lambda: deriving.mix(body))


@api.post(
    "/designs/walk",
    responses={"202": accepted_job(), **problems(400, 413, 415, 429)},
    security=FOR_SHOPPERS,
)
@auth.for_shoppers
def walk(body: WalkRequest, header: Promise) -> Response:
    """Ask for one animation from a design to another of the same release."""
    return accept(header, request.get_json(), lambda: deriving.walk(body))


@api.get("/designs", responses={"200": DesignList}, security=FOR_SHOPPERS)
@auth.for_shoppers
def list_designs(query: DesignQuery) -> Response:
    """List the site's designs, newest first; to a shopper's session only that shopper's."""
    with runtime().records.reading() as tx:
        theirs = auth.caller().shopper_id
        if query.shopper is not None:
            theirs = shoppers.get(tx, auth.site_id(), auth.ref_of(query.shopper)).id
        page = designs.page(
            tx,
            auth.site_id(),
            job_id=query.job,
            release_id=query.release,
            shopper_id=theirs,
            cursor=query.cursor,
            limit=query.limit,
        )
    return answers.listing(page)


@api.get("/designs/<design>", responses={"200": Design}, security=FOR_SHOPPERS)
@auth.for_shoppers
def get_design(path: DesignPath) -> Response:
    """Read a design."""
    return answers.document(_read(path).design)


@api.get(
    "/designs/<design>/image",
    responses={
        "200": binary("image/png", "image/webp", "image/avif"),
        "304": not_modified(),
        **problems(403, 501),
    },
    security=FOR_SHOPPERS,
)
@auth.for_shoppers
def get_design_image(path: DesignPath, query: ImageQuery) -> Response:
    """Read a design's picture, in the variant and format that are wanted.

    With `signed=true` it is a copy that carries a signed C2PA manifest. In place of a key a signed
    link will do, as POST /v1/links gives them.
    """
    place = _read(path)
    design, signing = place.design, runtime().signing
    kept = pictures.Kept(lambda: stored_picture(place), design.sha256, design.format.media_type)
    if not query.signed:
        return pictures.answer(kept, query)

    def sign(data: bytes, media_type: str) -> bytes:
        # When it is read: it takes a millisecond, and what is stored stays the same bytes.
        return signing.sign(data, mark_of(design), media_type=media_type)

    return pictures.answer(kept, query, sign=sign, serial=signing.serial())


def _read(path: DesignPath) -> DesignPlace:
    with runtime().records.reading() as tx:
        place = designs.get(tx, auth.site_id(), path.design)
    asking.check_own(place)
    return place


@api.get(
    "/designs/<design>/similar",
    responses={"200": SimilarGarments, "304": not_modified(), **problems(409)},
    security=FOR_SHOPPERS,
)
@auth.for_shoppers
def get_similar_to_design(path: DesignPath, query: SimilarDesignQuery) -> Response:
    """Shop the look: find the garments that look most like a design."""
    _read(path)
    found = recommending.similar_to_design(path.design, query.catalog, count=query.count)
    return answers.told_now(found)

"""Designs: asking for them, and reading them with their pictures."""

import secrets
from typing import Final

from flask import Response, request
from pydantic import Field

from shared.colour import FAMILY_NAMES, code_of, nearest_family
from shared.errors import InvalidInputError
from shared.records import Transaction, designs, models
from shared.schemas.base import Schema
from shared.schemas.designs import COLOUR_KEYS, Design, DesignRequest
from shared.schemas.jobs import DesignSpec
from shared.schemas.listing import Listing
from shared.schemas.models import Release
from shared.schemas.problems import Fault
from web import answers, auth
from web.accept import Promise, accept
from web.api.noun import ListQuery, accepted_job, binary, not_modified, noun, problems
from web.choices import unknown
from web.evidence import mark_of, stored_picture
from web.runtime import runtime

api: Final = noun("designs", "Generated garments.")

_SEEDS: Final = 2**31
_COLOUR: Final = "colour"


class DesignPath(Schema):
    """A design by id."""

    design: str = Field(description="Design id.")


class DesignQuery(ListQuery):
    """Which designs to list."""

    job: str | None = Field(None, description="Only those of this job.")
    release: str | None = Field(None, description="Only those of this release.")


class ImageQuery(Schema):
    """How a design's picture is wanted."""

    signed: bool = Field(
        False,
        description="Whether a signed C2PA manifest is added; its pixels stay the same.",
    )


class DesignList(Listing[Design]):
    """A page of designs."""


@api.post("/design-jobs", responses={"202": accepted_job(), **problems(400, 413, 415)})
def design(body: DesignRequest, header: Promise) -> Response:
    """Ask for designs; the job's result names them, with their seeds and pictures."""
    return accept(header, request.get_json(), lambda: _resolve(body))


@api.get("/designs", responses={"200": DesignList})
def list_designs(query: DesignQuery) -> Response:
    """List the site's designs, newest first."""
    with runtime().records.reading() as tx:
        page = designs.page(
            tx,
            auth.site_id(),
            job_id=query.job,
            release_id=query.release,
            cursor=query.cursor,
            limit=query.limit,
        )
    return answers.listing(page)


@api.get("/designs/<design>", responses={"200": Design})
def get_design(path: DesignPath) -> Response:
    """Read a design."""
    with runtime().records.reading() as tx:
        place = designs.get(tx, auth.site_id(), path.design)
    return answers.document(place.design)


@api.get(
    "/designs/<design>/image",
    responses={
        "200": binary("image/png", "image/webp"),
        "304": not_modified(),
        **problems(403, 501),
    },
)
def get_design_image(path: DesignPath, query: ImageQuery) -> Response:
    """Read a design's picture; with `signed=true` a copy that carries a signed C2PA manifest."""
    with runtime().records.reading() as tx:
        place = designs.get(tx, auth.site_id(), path.design)
    if query.signed:
        return _signed(place)
    return answers.unchanging(
        lambda: stored_picture(place),
        sha256=place.design.sha256,
        media_type=place.design.format.media_type,
    )


def _signed(place: designs.DesignPlace) -> Response:
    """Sign when it is read: it takes a millisecond, and what is stored stays the same bytes."""
    signing, design = runtime().signing, place.design
    media_type = design.format.media_type
    return answers.unchanging(
        lambda: signing.sign(stored_picture(place), mark_of(design), media_type=media_type),
        sha256=f"{design.sha256}-{signing.serial()}",
        media_type=media_type,
        weak=True,
    )


def _resolve(asked: DesignRequest) -> DesignSpec:
    with runtime().records.reading() as tx:
        release = _release(tx, asked)
    return spec_of(asked, release, seed=secrets.randbelow(_SEEDS))


def spec_of(asked: DesignRequest, release: Release, *, seed: int) -> DesignSpec:
    """Return the spec of a design job.

    Args:
        asked: the request.
        release: the release that it names.
        seed: what to start from where the request names no seed.

    Raises:
        InvalidInputError: the release knows no such attribute or value, or is too small.
    """
    return DesignSpec(
        release_id=release.id,
        count=asked.count,
        condition={name: _value(name, value, release) for name, value in asked.condition.items()},
        seed=seed if asked.seed is None else asked.seed,
        size=_size(asked.size, release),
        format=asked.format,
        variety=asked.variety,
    )


def _release(tx: Transaction, asked: DesignRequest) -> Release:
    if (asked.release is None) == (asked.model is None):
        raise InvalidInputError(
            "Give either `release` or `model`: a release stays the same for ever, a model stands "
            "for its newest release. GET /v1/models lists both.",
            errors=[Fault(location=("release",), message="expected one of `release`, `model`")],
        )
    site_id = auth.site_id()
    reference = asked.release
    if reference is None:
        model = models.get(tx, site_id, str(asked.model))
        # A model is made with its first release, so there is one.
        reference = str(model.newest_release_id)
    return models.release(tx, reference, site_id=site_id).release


def _value(name: str, value: str, release: Release) -> str:
    if release.colours and name in COLOUR_KEYS:
        return _colour(name, value)
    known = release.vocabulary.get(name)
    if known is None:
        what = "an attribute that this release knows"
        allowed = (*release.vocabulary, *(COLOUR_KEYS if release.colours else ()))
        raise unknown(what, name, allowed, place=("condition", name))
    if value in known:
        return value
    if name == _COLOUR and value.startswith("#"):
        family = nearest_family(value, known)
        if family is not None:
            return family
    raise unknown(f"a {name} that this release knows", value, known, place=("condition", name))


def _colour(name: str, value: str) -> str:
    """Return a colour as it was given; the worker knows what it stands for."""
    if code_of(value) is None:
        what = "a colour: neither #rrggbb nor one of the families"
        raise unknown(what, value, FAMILY_NAMES, place=("condition", name))
    return value


def _size(asked: int | None, release: Release) -> int:
    if asked is not None and asked > release.size:
        raise InvalidInputError(
            f"This release makes pictures of {release.size} px, not of {asked}. Ask for "
            f"{release.size} or less, or train a larger model.",
            errors=[Fault(location=("size",), message=f"expected at most {release.size}")],
            largest=release.size,
        )
    return asked or release.size

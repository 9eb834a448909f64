"""What the blueprints of all nouns share: the prefix, the key, and the problems documented."""

from http import HTTPStatus
from typing import Annotated, Any, Final

from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from flask_openapi3.types import ResponseDict
from pydantic import Field

from shared.schemas.base import Schema
from shared.schemas.keys import Scope
from shared.schemas.problems import MEDIA_TYPE
from web import auth, bodies, limiting, linked

Cursor = Annotated[str | None, Field(description="`next_cursor` of the page before.")]
Limit = Annotated[int, Field(ge=1, le=200, description="Most items in the answer.")]

SECURITY: Final = "api_key"
FOR_SHOPPERS: Final[list[dict[str, list[Any]]]] = [{"publishable_key": [], "session_token": []}]
"""How OpenAPI is told that a shopper's session opens an operation too."""


class ListQuery(Schema):
    """How every list is asked for."""

    cursor: Cursor = None
    limit: Limit = 20


class SimilarQuery(Schema):
    """How many garments to find."""

    count: int = Field(12, ge=1, le=100, description="Most garments in the answer.")


def problem(status: int) -> dict[str, Any]:
    """Return how OpenAPI is told that an operation may answer with a problem document."""
    return {
        "description": HTTPStatus(status).phrase,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def problems(*statuses: int) -> ResponseDict:
    """Return the problem documents of several statuses."""
    return {str(status): problem(status) for status in statuses}


def binary(*media_types: str) -> dict[str, Any]:
    """Return how OpenAPI is told of an answer that is bytes."""
    return {
        "description": "The bytes.",
        "content": {name: {"schema": {"type": "string"}} for name in media_types},
        "headers": {"ETag": {"schema": {"type": "string"}}},
    }


def not_modified() -> dict[str, Any]:
    """Return how OpenAPI is told that the caller holds the bytes already."""
    return {"description": "If-None-Match names the bytes: the caller holds them already."}


def accepted_job() -> dict[str, Any]:
    """Return how OpenAPI is told of a job that was taken."""
    return {
        "description": "The job was taken. Ask for it at Location, best with ?wait=30.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Job"}}},
        "headers": {"Location": {"schema": {"type": "string"}}},
    }


def noun(
    name: str,
    about: str,
    *,
    scope: Scope = Scope.DESIGN,
    reads: Scope = Scope.READ,
    extra: ResponseDict | None = None,
) -> APIBlueprint:
    """Return the blueprint of a noun; all its routes need a key.

    Args:
        name: what the routes are about.
        about: the same in a sentence.
        scope: what a key needs for all but GET, where `auth.needs` does not say otherwise.
        reads: what it needs for GET.
        extra: answers that all its operations may give, beyond the usual ones.
    """
    blueprint = APIBlueprint(
        name,
        __name__,
        url_prefix="/v1",
        abp_tags=[Tag(name=name, description=about)],
        abp_security=[{SECURITY: []}],
        abp_responses={**problems(400, 401, 403, 404, 422, 429, 500, 503, 507), **(extra or {})},
    )
    blueprint.before_request(lambda: linked.require(lambda: auth.require(reads, scope)))
    blueprint.before_request(limiting.count)
    blueprint.before_request(bodies.check)
    blueprint.after_request(linked.finish)
    return blueprint

"""Garments: adding them to a catalog, and reading them with their pictures."""

from typing import Any, Final

from flask import Response, request
from pydantic import Field
from werkzeug.exceptions import UnsupportedMediaType

from shared.artifacts.pictures import encode_png, picture_of
from shared.errors import InvalidInputError
from shared.records import catalogs, garments
from shared.schemas.base import Schema
from shared.schemas.catalogs import Garment, GarmentDetail
from shared.schemas.keys import Scope
from shared.schemas.listing import Listing
from shared.schemas.problems import Fault
from shared.schemas.shoppers import SimilarGarments
from shared.schemas.variants import PictureQuery
from web import answers, auth, bodies, folders, pictures, recommending, styling, uploads
from web.accept import Promise
from web.api.catalogs import CatalogPath
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
from web.runtime import runtime

api: Final = noun("garments", "The real items of a catalog.", scope=Scope.TRAIN)

_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {"$ref": "#/components/schemas/GarmentUpload"},
            "encoding": {"fields": {"contentType": "application/json"}},
        },
        "application/json": {"schema": {"$ref": "#/components/schemas/FolderRequest"}},
    },
}


class GarmentPath(Schema):
    """A garment by id."""

    garment: str = Field(description="Garment id.")


class GarmentQuery(ListQuery):
    """Which garments to list."""

    attribute: tuple[str, ...] = Field(
        (), description="`name:value`, such as `category:dress`; repeat it to ask for several."
    )


class GarmentList(Listing[Garment]):
    """A page of garments."""


@api.post(
    "/catalogs/<catalog>/garments",
    responses={"202": accepted_job(), **problems(400, 403, 409, 413, 415)},
    openapi_extensions={"requestBody": _BODY},
)
def add_garments(path: CatalogPath, header: Promise) -> Response:
    """Add garments to a catalog: an archive, one picture with its fields, or a server-side folder.

    Send `archive` (zip or tar, with a labels.csv or .jsonl manifest or one folder a category) or
    `image` (and `fields`) as multipart/form-data; or, as JSON, the path of a folder, archive or
    IDX file on the server, below one of TOILE_IMPORT_ROOTS.
    """
    with runtime().records.reading() as tx:
        catalog = catalogs.own(tx, auth.site_id(), path.catalog)
    if request.mimetype == "multipart/form-data":
        return uploads.take(catalog, header)
    if request.is_json:
        return folders.take(catalog, header, bodies.json_object())
    raise UnsupportedMediaType(
        "Send files as multipart/form-data, or the path of a folder on the server as JSON."
    )


@api.get("/catalogs/<catalog>/garments", responses={"200": GarmentList})
def list_garments(path: CatalogPath, query: GarmentQuery) -> Response:
    """List a catalog's garments, newest version first."""
    wanted = _wanted(query.attribute)
    with runtime().records.reading() as tx:
        catalog = catalogs.get(tx, auth.site_id(), path.catalog)
        page = garments.page(
            tx, catalog.id, attributes=wanted, cursor=query.cursor, limit=query.limit
        )
    return answers.listing(page)


@api.get("/garments/<garment>", responses={"200": GarmentDetail})
def get_garment(path: GarmentPath) -> Response:
    """Read a garment, with the labels that were measured or predicted."""
    with runtime().records.reading() as tx:
        place = garments.get(tx, auth.site_id(), path.garment)
        detail = styling.with_derived(tx, place.garment)
    return answers.document(detail)


@api.get(
    "/garments/<garment>/image",
    responses={
        "200": binary("image/png", "image/webp", "image/avif"),
        "304": not_modified(),
        **problems(403),
    },
    security=FOR_SHOPPERS,
)
@auth.for_shoppers
def get_garment_image(path: GarmentPath, query: PictureQuery) -> Response:
    """Read a garment's picture as models see it: square, PNG, or the variant that is wanted."""
    with runtime().records.reading() as tx:
        place = garments.get(tx, auth.site_id(), path.garment)
    store = runtime().store

    def read() -> bytes:
        return encode_png(picture_of(store, place.artifact, place.shard_index))

    kept = pictures.Kept(
        lambda: answers.from_store(read, f"garment {path.garment}"), place.sha256, "image/png"
    )
    return pictures.answer(kept, query)


@api.get(
    "/garments/<garment>/similar",
    responses={"200": SimilarGarments, "304": not_modified(), **problems(409)},
    security=FOR_SHOPPERS,
)
@auth.for_shoppers
def get_similar_to_garment(path: GarmentPath, query: SimilarQuery) -> Response:
    """Find the garments of the same catalog that look most like a garment."""
    return answers.told_now(recommending.similar_to_garment(path.garment, count=query.count))


def _wanted(pairs: tuple[str, ...]) -> dict[str, str]:
    wanted: dict[str, str] = {}
    for pair in pairs:
        name, colon, value = (part.strip() for part in pair.partition(":"))
        if not (name and colon and value) or name in wanted:
            fault = Fault(location=("attribute",), message="expected name:value, each name once")
            raise InvalidInputError(
                f"The filter attribute={pair!r} does not fit. Write attribute=name:value, such as "
                "attribute=category:dress, each name at most once.",
                errors=[fault],
            )
        wanted[name] = value
    return wanted

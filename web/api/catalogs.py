"""Catalogs: the sets that models learn from."""

from typing import Final

from flask import Response, request
from pydantic import Field

from shared.records import Transaction, catalogs
from shared.schemas.base import Schema
from shared.schemas.catalogs import Catalog, CatalogRequest
from shared.schemas.derivations import CatalogStyles
from shared.schemas.keys import Scope
from shared.schemas.listing import Listing
from web import answers, auth, styling
from web.accept import Promise
from web.api.noun import ListQuery, not_modified, noun, problems
from web.idempotency import Done, once
from web.runtime import runtime

api: Final = noun("catalogs", "The sets of garments that models learn from.", scope=Scope.TRAIN)


class CatalogPath(Schema):
    """A catalog by id or name."""

    catalog: str = Field(description="Catalog id or name.")


class CatalogList(Listing[Catalog]):
    """A page of catalogs."""


@api.post("/catalogs", responses={"201": Catalog, **problems(400, 409, 413, 415)})
def create_catalog(body: CatalogRequest, header: Promise) -> Response:
    """Make an empty catalog."""

    def effect(tx: Transaction) -> Done:
        made = catalogs.create(tx, auth.site_id(), body)
        return Done(answers.created(made, made.url))

    return once(header, request.get_json(), effect)


@api.get("/catalogs", responses={"200": CatalogList})
def list_catalogs(query: ListQuery) -> Response:
    """List the site's catalogs, newest first."""
    with runtime().records.reading() as tx:
        page = catalogs.page(tx, auth.site_id(), cursor=query.cursor, limit=query.limit)
    return answers.listing(page)


@api.get("/catalogs/<catalog>", responses={"200": Catalog})
def get_catalog(path: CatalogPath) -> Response:
    """Read a catalog, by id or by name."""
    with runtime().records.reading() as tx:
        found = catalogs.get(tx, auth.site_id(), path.catalog)
    return answers.document(found)


@api.get("/catalogs/<catalog>/styles", responses={"200": CatalogStyles, "304": not_modified()})
def list_styles(path: CatalogPath) -> Response:
    """List a catalog's styles with typical garments, and from where its labels come.

    A style is a group of garments that look alike; its number stays from one version to the next.
    """
    return answers.told_now(styling.styles_of(path.catalog))

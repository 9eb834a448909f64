"""Models and releases: what was learned."""

from typing import Final

from flask import Response
from pydantic import Field

from shared.artifacts import keys
from shared.records import models
from shared.schemas.base import Schema
from shared.schemas.listing import Listing
from shared.schemas.models import Model, Release
from web import answers, auth
from web.api.noun import ListQuery, binary, not_modified, noun
from web.runtime import runtime

api: Final = noun("models", "Lines of generators and their published releases.")

_GRID: Final = "grid.png"


class ModelPath(Schema):
    """A model by id or name."""

    model: str = Field(description="Model id or name.")


class ReleasePath(Schema):
    """A release by id."""

    release: str = Field(description="Release id.")


class ModelList(Listing[Model]):
    """A page of models."""


class ReleaseList(Listing[Release]):
    """A page of releases."""


@api.get("/models", responses={"200": ModelList})
def list_models(query: ListQuery) -> Response:
    """List the site's models, newest first."""
    with runtime().records.reading() as tx:
        page = models.page(tx, auth.site_id(), cursor=query.cursor, limit=query.limit)
    return answers.listing(page)


@api.get("/models/<model>", responses={"200": Model})
def get_model(path: ModelPath) -> Response:
    """Read a model, by id or by name."""
    with runtime().records.reading() as tx:
        found = models.get(tx, auth.site_id(), path.model)
    return answers.document(found)


@api.get("/models/<model>/releases", responses={"200": ReleaseList})
def list_releases(path: ModelPath, query: ListQuery) -> Response:
    """List a model's releases, newest first."""
    with runtime().records.reading() as tx:
        model = models.get(tx, auth.site_id(), path.model)
        page = models.releases_page(
            tx, auth.site_id(), model_id=model.id, cursor=query.cursor, limit=query.limit
        )
    return answers.listing(page)


@api.get("/releases/<release>", responses={"200": Release})
def get_release(path: ReleasePath) -> Response:
    """Read a release with its card and the attribute values that it knows."""
    with runtime().records.reading() as tx:
        place = models.release(tx, path.release, site_id=auth.site_id())
    return answers.document(place.release)


@api.get("/releases/<release>/grid", responses={"200": binary("image/png"), "304": not_modified()})
def get_grid(path: ReleasePath) -> Response:
    """Read a release's sample grid, PNG."""
    with runtime().records.reading() as tx:
        place = models.release(tx, path.release, site_id=auth.site_id())
    store = runtime().store
    return answers.unchanging(
        lambda: answers.from_store(
            lambda: store.read(keys.release_file(place.release.id, _GRID)),
            f"release {path.release}",
        ),
        sha256=place.release.sha256,
        media_type="image/png",
    )

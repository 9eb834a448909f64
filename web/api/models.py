"""Models and releases: what was learned."""

from typing import Final

from flask import Response
from pydantic import Field

from shared.artifacts import keys
from shared.figures import compare, compare_one, figures_of
from shared.records import models
from shared.schemas.base import Schema
from shared.schemas.figures import Comparison, Figure
from shared.schemas.keys import Scope
from shared.schemas.listing import Listing
from shared.schemas.models import Model, Release
from shared.schemas.variants import SignedQuery
from web import answers, auth
from web.api.noun import ListQuery, binary, not_modified, noun, problems
from web.choices import unknown
from web.runtime import runtime

api: Final = noun("models", "Lines of generators and their published releases.", scope=Scope.TRAIN)

_GRID: Final = "grid.png"
_CARD: Final = "card.html"
# A card brings its own styles and pictures along, and runs nothing.
_CONTENT_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)


class ModelPath(Schema):
    """A model by id or name."""

    model: str = Field(description="Model id or name.")


class ReleasePath(Schema):
    """A release by id."""

    release: str = Field(description="Release id.")


class CompareQuery(Schema):
    """Which releases to compare, and by what."""

    first: str = Field(description="Release id.")
    second: str = Field(description="Release id.")
    figure: str | None = Field(
        None,
        description="Key of one figure, such as `fd_indomain[A@1a2b3c4d]`; unset, all that both "
        "have. 409 where only one of the releases has it.",
    )


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


@api.get("/releases/compare", responses={"200": Comparison, **problems(409)})
def compare_releases(query: CompareQuery) -> Response:
    """Put the figures of two releases side by side; different keys are never compared."""
    with runtime().records.reading() as tx:
        first, second = (
            models.release(tx, release_id, site_id=auth.site_id()).release
            for release_id in (query.first, query.second)
        )
    measured = figures_of(first.card), figures_of(second.card)
    if query.figure is None:
        figures, left = compare(*measured)
        found = Comparison(first=first.id, second=second.id, figures=figures, not_compared=left)
    else:
        _check_measured(query.figure, *measured)
        one = compare_one(query.figure, *measured)
        found = Comparison(first=first.id, second=second.id, figures=[one], not_compared=[])
    return answers.document(found)


@api.get("/releases/<release>", responses={"200": Release})
def get_release(path: ReleasePath) -> Response:
    """Read a release with its card and the attribute values that it knows."""
    with runtime().records.reading() as tx:
        place = models.release(tx, path.release, site_id=auth.site_id())
    return answers.document(place.release)


@api.get(
    "/releases/<release>/grid",
    responses={"200": binary("image/png"), "304": not_modified(), **problems(403)},
)
def get_grid(path: ReleasePath, query: SignedQuery) -> Response:  # noqa: ARG001 - read before
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


@api.get(
    "/releases/<release>/card",
    responses={"200": binary("text/html"), "304": not_modified(), **problems(403)},
)
def get_card(path: ReleasePath, query: SignedQuery) -> Response:  # noqa: ARG001 - read before
    """Read a release's card as one page that needs nothing else; `card` of the release is data."""
    with runtime().records.reading() as tx:
        place = models.release(tx, path.release, site_id=auth.site_id())
    store = runtime().store
    data = answers.from_store(
        lambda: store.read(keys.release_file(place.release.id, _CARD)),
        f"the card of release {path.release}",
    )
    response = answers.known(data, media_type="text/html")
    response.headers["Content-Security-Policy"] = _CONTENT_POLICY
    return response


def _check_measured(key: str, first: list[Figure], second: list[Figure]) -> None:
    known = dict.fromkeys(figure.key for figure in (*first, *second))
    if key not in known:
        raise unknown("a figure of either release", key, known, place=("figure",))

"""Feeds: what others show and count, added a batch at a time."""

from http import HTTPStatus
from typing import Any, Final

from flask import Response, request
from pydantic import Field
from werkzeug.exceptions import UnsupportedMediaType

from shared.artifacts import keys
from shared.records import Transaction, feeds
from shared.schemas.base import Schema
from shared.schemas.feeds import Feed, FeedBatch, FeedRequest
from shared.schemas.keys import Scope
from shared.schemas.listing import Listing
from web import answers, auth, uploads
from web.accept import Promise
from web.api.noun import ListQuery, accepted_job, noun, problems
from web.idempotency import Done, once
from web.runtime import runtime

api: Final = noun(
    "feeds",
    "What others show and count: evidence of trends beyond the catalogs.",
    scope=Scope.TRAIN,
)

_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "multipart/form-data": {"schema": {"$ref": "#/components/schemas/BatchUpload"}},
    },
}


class FeedPath(Schema):
    """A feed by id or name."""

    feed: str = Field(description="Feed id or name.")


class FeedList(Listing[Feed]):
    """A page of feeds."""


class FeedBatchList(Listing[FeedBatch]):
    """A page of a feed's batches."""


@api.post("/feeds", responses={"201": Feed, **problems(400, 409, 413, 415)})
def create_feed(body: FeedRequest, header: Promise) -> Response:
    """Make an empty feed."""

    def effect(tx: Transaction) -> Done:
        made = feeds.create(tx, auth.site_id(), body)
        return Done(answers.created(made, made.url))

    return once(header, request.get_json(), effect)


@api.get("/feeds", responses={"200": FeedList})
def list_feeds(query: ListQuery) -> Response:
    """List the site's feeds, newest first."""
    with runtime().records.reading() as tx:
        page = feeds.page(tx, auth.site_id(), cursor=query.cursor, limit=query.limit)
    return answers.listing(page)


@api.get("/feeds/<feed>", responses={"200": Feed})
def get_feed(path: FeedPath) -> Response:
    """Read a feed, by id or by name."""
    with runtime().records.reading() as tx:
        found = feeds.get(tx, auth.site_id(), path.feed)
    return answers.document(found)


@api.delete("/feeds/<feed>", responses={"204": {"description": "It is gone."}})
def delete_feed(path: FeedPath) -> Response:
    """Delete a feed with all that it brought; reports that were made of it stay as they are."""
    here = runtime()
    with here.records.transaction() as tx:
        gone = feeds.erase(tx, auth.site_id(), path.feed)
    # After the commit: a row must never name bytes that are gone.
    places = (keys.feed(gone.feed.id), keys.catalog(gone.feed.catalog_id))
    for prefix in (*places, *map(keys.index, gone.indexes)):
        for key in list(here.store.keys(prefix)):
            here.store.delete(key)
    return Response(status=HTTPStatus.NO_CONTENT)


@api.post(
    "/feeds/<feed>/batches",
    responses={"202": accepted_job(), **problems(400, 413, 415)},
    openapi_extensions={"requestBody": _BODY},
)
def add_batch(path: FeedPath, header: Promise) -> Response:
    """Add a batch to a feed: plain counts, or an archive of dated images.

    Send `counts` (.csv or .jsonl: a day, labels, a count) or `archive` (zip or tar with a
    labels.csv or .jsonl manifest) as multipart/form-data. With `counts`, `revises=true` puts the
    batch in the place of all that was said of its days and segments before. Rows that cannot be
    used are named in the job's result by their line; the others are added all at once.
    """
    with runtime().records.reading() as tx:
        feed = feeds.get(tx, auth.site_id(), path.feed)
    if request.mimetype != "multipart/form-data":
        raise UnsupportedMediaType("Send the file as multipart/form-data.")
    return uploads.take_batch(feed, header)


@api.get("/feeds/<feed>/batches", responses={"200": FeedBatchList})
def list_batches(path: FeedPath, query: ListQuery) -> Response:
    """List a feed's batches, newest first."""
    with runtime().records.reading() as tx:
        feed = feeds.get(tx, auth.site_id(), path.feed)
        page = feeds.batches_page(tx, feed.id, cursor=query.cursor, limit=query.limit)
    return answers.listing(page)

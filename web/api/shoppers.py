"""Shoppers: what they said, what it adds up to, and forgetting them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

from flask import Response, request
from pydantic import Field, ValidationError

from shared.colour import FAMILY_NAMES, code_of
from shared.errors import InvalidInputError
from shared.records import Transaction, catalogs, erasures, preferences, shoppers
from shared.schemas.base import Schema
from shared.schemas.keys import Scope, SessionRequest, ShopperSession
from shared.schemas.listing import Listing
from shared.schemas.problems import Fault
from shared.schemas.refs import Ref
from shared.schemas.shoppers import (
    Erasure,
    Preference,
    PreferenceBatch,
    PreferenceRequest,
    Recommendations,
    Recorded,
    Shopper,
    TasteView,
)
from shared.shoppers.erasing import erase
from shared.taste.ranking import RELEVANCE
from web import answers, auth, bodies, recommending
from web.accept import Promise
from web.api.noun import FOR_SHOPPERS, ListQuery, not_modified, noun, problems
from web.choices import unknown
from web.errors import refusal
from web.idempotency import Done, once
from web.runtime import runtime
from web.sessions import Claims

api: Final = noun("shoppers", "What shoppers like, what they may like, and forgetting them.")

_COLOUR: Final = "colour"
_SESSION_SCOPES: Final = (Scope.READ, Scope.DESIGN)
_LATE: Final = timedelta(minutes=1)
_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "anyOf": [
                    {"$ref": "#/components/schemas/PreferenceRequest"},
                    {"$ref": "#/components/schemas/PreferenceBatch"},
                ]
            }
        }
    },
}


class ShopperPath(Schema):
    """A shopper by the site's own reference."""

    ref: Ref


class PreferencePath(ShopperPath):
    """One preference of a shopper."""

    preference: str = Field(description="Preference id.")


class ErasurePath(Schema):
    """An erasure by id."""

    erasure: str = Field(description="Erasure id.")


class TasteQuery(Schema):
    """About which catalog to ask."""

    catalog: str | None = Field(
        None, description="Catalog id or name; unset, the site's only one, or that indexed last."
    )


class RecommendationQuery(TasteQuery):
    """What to recommend."""

    count: int = Field(10, ge=1, le=100, description="Most garments in the answer.")
    relevance: float = Field(
        RELEVANCE, ge=0, le=1, description="1 looks at taste alone; less trades it for variety."
    )


class ShopperList(Listing[Shopper]):
    """A page of shoppers."""


class PreferenceList(Listing[Preference]):
    """A page of preferences."""


class ErasureList(Listing[Erasure]):
    """A page of erasures."""


@api.get("/shoppers", responses={"200": ShopperList})
def list_shoppers(query: ListQuery) -> Response:
    """List the site's shoppers, newest first."""
    with runtime().records.reading() as tx:
        page = shoppers.page(tx, auth.site_id(), cursor=query.cursor, limit=query.limit)
    return answers.listing(page)


@api.get("/shoppers/<ref>", responses={"200": Shopper})
def get_shopper(path: ShopperPath) -> Response:
    """Read a shopper."""
    with runtime().records.reading() as tx:
        found = shoppers.get(tx, auth.site_id(), path.ref)
    return answers.document(found)


@api.delete("/shoppers/<ref>", responses={"200": Erasure})
@auth.needs(Scope.ADMIN)
def erase_shopper(path: ShopperPath) -> Response:
    """Forget a shopper: preferences, designs with their pictures, jobs, and the shopper.

    The answer is a receipt that does not name them. On 503 some of it is still there: send the same
    request again, and it goes on.
    """
    here = runtime()
    return answers.document(erase(here.records, here.store, auth.site_id(), path.ref))


@api.post(
    "/shoppers/<ref>/preferences",
    responses={"201": Recorded, **problems(400, 413, 415)},
    openapi_extensions={"requestBody": _BODY},
    security=FOR_SHOPPERS,
)
@auth.for_shoppers
def record_preferences(path: ShopperPath, header: Promise) -> Response:
    """Record what a shopper said: one preference, or up to 500 as `preferences`, all or none.

    The first one makes the shopper. Of words that contradict each other the last one stands.
    """
    body = bodies.json_object()
    is_batch = "preferences" in body
    try:
        said = (
            PreferenceBatch.model_validate(body).preferences
            if is_batch
            else (PreferenceRequest.model_validate(body),)
        )
    except ValidationError as error:
        raise refusal(error) from None
    ref = auth.ref_of(path.ref)

    def effect(tx: Transaction) -> Done:
        _check(tx, said, in_list=is_batch)
        shopper = _speaker(tx, ref)
        made = preferences.record(tx, auth.site_id(), shopper, said)
        shoppers.touch(tx, shopper.id)
        response = answers.document(Recorded(preferences=tuple(made)), HTTPStatus.CREATED)
        return Done(response, shopper_id=shopper.id)

    return once(header, body, effect)


@api.post(
    "/shoppers/<ref>/sessions",
    responses={"201": ShopperSession, **problems(400, 409, 413, 415)},
)
def open_session(path: ShopperPath, body: SessionRequest, header: Promise) -> Response:
    """Make the token that lets one shopper's browser in, beside a publishable key.

    It opens what is that shopper's and nothing else, for half an hour where you do not say. It ends
    before when the shopper is erased, or the key that asked is revoked or over. The first one makes
    the shopper. In addresses a session may write `me` in the place of the reference.
    """
    asker = auth.caller()
    scopes = _session_scopes(body.scopes)

    def effect(tx: Transaction) -> Done:
        shopper = shoppers.ensure(tx, asker.site_id, path.ref)
        claims = Claims(
            site_id=asker.site_id,
            shopper_id=shopper.id,
            key_id=asker.key_id,
            scopes=scopes,
            expires=runtime().sessions.expiry(body.expires_in),
        )
        return Done(_session(claims), shopper_id=shopper.id, kept=claims.model_dump(mode="json"))

    # Not the token but what it says is kept: the same words, signed again, are the same token.
    return once(
        header, request.get_json(), effect, again=lambda said: _session(Claims.model_validate(said))
    )


@api.get("/shoppers/<ref>/preferences", responses={"200": PreferenceList})
def list_preferences(path: ShopperPath, query: ListQuery) -> Response:
    """List what a shopper said, the newest first."""
    with runtime().records.reading() as tx:
        shopper = shoppers.get(tx, auth.site_id(), path.ref)
        page = preferences.page(tx, shopper.id, cursor=query.cursor, limit=query.limit)
    return answers.listing(page)


@api.delete(
    "/shoppers/<ref>/preferences/<preference>",
    responses={"204": {"description": "It is gone."}},
)
def remove_preference(path: PreferencePath) -> Response:
    """Take one preference back."""
    with runtime().records.transaction() as tx:
        shopper = shoppers.get(tx, auth.site_id(), path.ref)
        preferences.remove(tx, shopper.id, path.preference)
    return Response(status=HTTPStatus.NO_CONTENT)


@api.get(
    "/shoppers/<ref>/taste",
    responses={"200": TasteView, "304": not_modified(), **problems(409)},
    security=FOR_SHOPPERS,
)
@auth.for_shoppers
def get_taste(path: ShopperPath, query: TasteQuery) -> Response:
    """Say what is believed of a shopper, in words and swatches, with how much speaks for it."""
    return answers.told_now(recommending.taste(auth.ref_of(path.ref), query.catalog))


@api.get(
    "/shoppers/<ref>/recommendations",
    responses={"200": Recommendations, "304": not_modified(), **problems(409)},
    security=FOR_SHOPPERS,
)
@auth.for_shoppers
def get_recommendations(path: ShopperPath, query: RecommendationQuery) -> Response:
    """Recommend garments, each with its reasons; what was liked or disliked is not among them.

    A shopper of whom nothing is known, recorded or not, gets what shoppers like on the whole.
    """
    found = recommending.recommendations(
        auth.ref_of(path.ref), query.catalog, count=query.count, relevance=query.relevance
    )
    return answers.told_now(found)


@api.get("/erasures", responses={"200": ErasureList})
def list_erasures(query: ListQuery) -> Response:
    """List the receipts of erased shoppers, newest first."""
    with runtime().records.reading() as tx:
        page = erasures.page(tx, auth.site_id(), cursor=query.cursor, limit=query.limit)
    return answers.listing(page)


@api.get("/erasures/<erasure>", responses={"200": Erasure})
def get_erasure(path: ErasurePath) -> Response:
    """Read the receipt of an erased shopper."""
    with runtime().records.reading() as tx:
        found = erasures.get(tx, auth.site_id(), path.erasure)
    return answers.document(found)


def _speaker(tx: Transaction, ref: str) -> Shopper:
    """Return the shopper who says something, held; only the site makes a new one.

    Raises:
        NotFoundError: a session's shopper was erased a moment ago.
    """
    asker = auth.caller()
    if asker.shopper_id is None:
        return shoppers.ensure(tx, asker.site_id, ref)
    shoppers.hold(tx, asker.shopper_id)
    return shoppers.get(tx, asker.site_id, ref)


def _session_scopes(asked: tuple[Scope, ...]) -> tuple[Scope, ...]:
    """Return what a session may do: what was asked, or as much as the key that asks may.

    Raises:
        InvalidInputError: it is nothing that a session may.
        ForbiddenError: the key itself may not.
    """
    beyond = [one for one in asked if one not in _SESSION_SCOPES]
    if beyond:
        fault = Fault(location=("scopes",), message="expected `read`, `design` or both")
        message = f"A shopper's session has never the scope {beyond[0]!r}."
        raise InvalidInputError(message, errors=[fault])
    for one in asked:
        auth.need(one)
    return asked or tuple(one for one in _SESSION_SCOPES if one in auth.caller().scopes)


def _session(claims: Claims) -> Response:
    session = ShopperSession(
        token=runtime().sessions.token(claims),
        scopes=claims.scopes,
        expires_at=datetime.fromtimestamp(claims.expires, UTC),
    )
    return answers.document(session, HTTPStatus.CREATED)


def _check(tx: Transaction, said: Sequence[PreferenceRequest], *, in_list: bool) -> None:
    """Refuse what names nothing, naming each entry that does.

    Raises:
        InvalidInputError: an item is not the site's, a time is to come, or a colour is none.
    """
    items = {item for one in said for item in (one.item, one.over) if item is not None}
    missing = preferences.unknown_items(
        tx, auth.site_id(), items, shopper_id=auth.caller().shopper_id
    )
    faults: list[Fault] = []
    for place, one in enumerate(said):
        where = ("preferences", place) if in_list else ()
        for name in ("item", "over"):
            if getattr(one, name) in missing:
                message = "expected the id of a garment or design of this site"
                faults.append(Fault(location=(*where, name), message=message))
        if one.at is not None and one.at > tx.now + _LATE:
            message = f"expected a time up to now, which is {tx.now:%Y-%m-%dT%H:%M:%SZ}"
            faults.append(Fault(location=(*where, "at"), message=message))
    if faults:
        raise InvalidInputError(_told(faults), errors=faults)
    _check_colours(tx, said, in_list=in_list)


def _check_colours(tx: Transaction, said: Sequence[PreferenceRequest], *, in_list: bool) -> None:
    """Refuse colours that nobody can see; other values may come with the next garments."""
    for place, one in enumerate(said):
        if one.attribute != _COLOUR or code_of(str(one.value)) is not None:
            continue
        labels = catalogs.values_of(tx, auth.site_id(), _COLOUR)
        if one.value not in labels:
            where = ("preferences", place) if in_list else ()
            what = "a colour: neither #rrggbb, nor a family, nor a label of your garments"
            raise unknown(what, str(one.value), {*FAMILY_NAMES, *labels}, place=(*where, "value"))


def _told(faults: Sequence[Fault]) -> str:
    shown = "; ".join(
        f"{'.'.join(map(str, fault.location))}: {fault.message}" for fault in faults[:10]
    )
    more = f"; and {len(faults) - 10} more" if len(faults) > 10 else ""  # noqa: PLR2004
    return f"Nothing was recorded. {shown}{more}."

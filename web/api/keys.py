"""Keys: what lets a site's programs in, and the pages of its shop."""

from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final

from flask import Response, request
from pydantic import Field

from shared.errors import ConflictError, ForbiddenError, InvalidInputError
from shared.records import Transaction, sites
from shared.schemas.base import Schema
from shared.schemas.keys import ApiKey, KeyRequest, NewApiKey, RotationRequest, Scope
from shared.schemas.listing import Listing
from shared.schemas.problems import Fault
from web import answers, auth
from web.accept import Promise
from web.api.noun import ListQuery, noun, problems
from web.idempotency import Done, once
from web.runtime import runtime

api: Final = noun(
    "keys",
    "What lets a site's programs in, and the pages of its shop.",
    scope=Scope.ADMIN,
    reads=Scope.ADMIN,
)


class KeyPath(Schema):
    """A key by id."""

    key: str = Field(description="Key id.")


class ApiKeyList(Listing[ApiKey]):
    """A page of keys."""


@api.get("/keys", responses={"200": ApiKeyList})
def list_keys(query: ListQuery) -> Response:
    """List the site's keys by their beginnings, newest first; revoked ones too."""
    with runtime().records.reading() as tx:
        page = sites.keys_page(tx, auth.site_id(), cursor=query.cursor, limit=query.limit)
    return answers.listing(page)


@api.post("/keys", responses={"201": NewApiKey, **problems(400, 409, 413, 415)})
def create_key(body: KeyRequest, header: Promise) -> Response:
    """Make a key; the answer is the only place where its secret ever stands.

    It may do no more than the key that asks. The secret is not kept, so a repeated request with the
    same Idempotency-Key makes no second key, and is told which one it made.
    """
    _check(body)

    def effect(tx: Transaction) -> Done:
        until = None if body.expires_in is None else tx.now + timedelta(seconds=body.expires_in)
        if body.publishable:
            return _made(
                sites.create_publishable_key(
                    tx, auth.site_id(), name=body.name, origins=body.origins, expires_at=until
                )
            )
        scopes = body.scopes or tuple(one for one in Scope if one in auth.caller().scopes)
        return _made(
            sites.create_key(tx, auth.site_id(), name=body.name, scopes=scopes, expires_at=until)
        )

    return once(header, request.get_json(), effect, again=_not_again)


@api.get("/keys/<key>", responses={"200": ApiKey})
def get_key(path: KeyPath) -> Response:
    """Read a key."""
    with runtime().records.reading() as tx:
        return answers.document(sites.own_key(tx, auth.site_id(), path.key))


@api.delete("/keys/<key>", responses={"200": ApiKey})
def revoke_key(path: KeyPath) -> Response:
    """Make a key useless, and the sessions that it made, within five seconds and for good."""
    with runtime().records.transaction() as tx:
        return answers.document(sites.revoke_key(tx, path.key, site_id=auth.site_id()))


@api.post("/keys/<key>/rotate", responses={"201": NewApiKey, **problems(400, 409, 413, 415)})
def rotate_key(path: KeyPath, body: RotationRequest, header: Promise) -> Response:
    """Put a new key in the place of one; the old secret goes on beside it for `overlap` seconds.

    The new key may do the same, and lives as long as the old one was given. The secret is not kept:
    a repeated request with the same Idempotency-Key is told which key it made.
    """

    def effect(tx: Transaction) -> Done:
        before = sites.own_key(tx, auth.site_id(), path.key)
        _check_no_more(before.scopes)
        made = sites.rotate_key(
            tx, before.id, overlap=timedelta(seconds=body.overlap), site_id=auth.site_id()
        )
        return _made(made)

    return once(header, request.get_json(), effect, again=_not_again)


def _check(body: KeyRequest) -> None:
    if body.publishable and body.scopes:
        raise _refused("scopes", "none", "A publishable key opens nothing by itself: name none.")
    if body.publishable and not body.origins:
        raise _refused("origins", "at least one", "Name the pages from which it is to be taken.")
    if body.origins and not body.publishable:
        raise _refused("origins", "`publishable` beside it", "A secret key belongs in no page.")
    _check_no_more(body.scopes)


def _check_no_more(scopes: tuple[Scope, ...]) -> None:
    """Refuse to hand out a secret that opens more than the caller's own.

    Raises:
        ForbiddenError: it would.
    """
    more = [one for one in scopes if one not in auth.caller().scopes]
    if more:
        raise ForbiddenError(
            f"Your key has not the scope {more[0]!r}, so it can give it to no other. Ask with a "
            "key that has it, or let the operator make the key: `toile key create`.",
            scopes=list(more),
        )


def _refused(field: str, expected: str, detail: str) -> InvalidInputError:
    fault = Fault(location=(field,), message=f"expected {expected}")
    return InvalidInputError(f"The request does not fit. {detail}", errors=[fault])


def _made(key: NewApiKey) -> Done:
    response = answers.document(key, HTTPStatus.CREATED)
    response.headers["Location"] = f"/v1/keys/{key.id}"
    return Done(response, kept={"key": key.id})


def _not_again(kept: Mapping[str, Any]) -> Response:
    raise ConflictError(
        f"This request made the key {kept['key']} before. Its secret was in the first answer and "
        "is kept nowhere. If that answer was lost, revoke the key and make another with a new "
        "Idempotency-Key.",
        key=kept["key"],
    )

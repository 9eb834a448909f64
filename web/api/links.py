"""Signed links: addresses for shop pages, which have no key."""

import datetime as dt
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from flask import Response, current_app
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from shared.errors import InvalidInputError
from shared.schemas.keys import Scope
from shared.schemas.links import Link, LinkBatch, LinkRequest
from shared.schemas.problems import Fault
from shared.schemas.variants import PictureQuery
from web import answers, auth
from web.api.noun import noun, problems
from web.errors import refusal
from web.linked import LINKABLE, PICTURES
from web.links import EXPIRES, SIGNATURE, SITE
from web.runtime import runtime

api: Final = noun("links", "Addresses that a shop page can read without a key, for a while.")

_OURS: Final = frozenset({SITE, EXPIRES, SIGNATURE})


@api.post("/links", responses={"200": LinkBatch, **problems(400, 413, 415)})
@auth.needs(Scope.READ)
def sign_links(body: LinkRequest) -> Response:
    """Sign the addresses of pictures, grids, cards and reports' files, up to 200 at once.

    Nothing is looked up: a link to what is not there, or is another site's, is answered with 404
    when it is read. A link opens just the address that it names, variant and format with it.
    """
    here, site_id = runtime(), auth.site_id()
    salt = here.limits.of(site_id).link_salt
    seconds = here.settings.link_seconds if body.expires_in is None else body.expires_in
    links = []
    for place, asked in enumerate(body.paths):
        path, query = _read(asked, place, body)
        url, expires = here.links.sign(path, query, site_id=site_id, salt=salt, seconds=seconds)
        ends = dt.datetime.fromtimestamp(expires, tz=dt.UTC)
        links.append(Link(path=asked, url=url, expires_at=ends))
    return answers.document(LinkBatch(links=tuple(links)))


def _read(asked: str, place: int, body: LinkRequest) -> tuple[str, list[tuple[str, str]]]:
    """Return the path and query of an address that may be signed."""
    parts = urlsplit(asked)
    path, own = unquote(parts.path), parse_qsl(parts.query, keep_blank_values=True)
    if parts.scheme or parts.netloc or parts.fragment or not path.startswith("/v1/"):
        raise _unfit(place, "expected a path such as /v1/designs/{design}/image")
    endpoint = _endpoint(path)
    if endpoint not in LINKABLE:
        raise _unfit(place, "expected a picture, grid, card or report file")
    names = [name for name, _ in own]
    if _OURS & set(names) or len(set(names)) != len(names):
        raise _unfit(place, "expected each name once, and no signature")
    if endpoint in PICTURES:
        named = {"variant": body.variant, "format": body.format}
        own += [(name, one.value) for name, one in named.items() if one and name not in names]
        _check_picture(own, place, endpoint=endpoint)
    elif own:
        raise _unfit(place, "expected no query here")
    return path, own


def _endpoint(path: str) -> str | None:
    try:
        endpoint, _ = current_app.url_map.bind("localhost").match(path, method="GET")
    except (HTTPException, RequestRedirect):
        return None
    return str(endpoint)


def _check_picture(query: list[tuple[str, str]], place: int, *, endpoint: str) -> None:
    """Refuse now what would be refused when the link is read."""
    told = dict(query)
    if endpoint == "designs.get_design_image" and told.get("signed") in {"true", "false"}:
        told.pop("signed")
    try:
        PictureQuery.model_validate(told)
    except ValidationError as error:
        raise refusal(error, place=("paths", place)) from None


def _unfit(place: int, message: str) -> InvalidInputError:
    return InvalidInputError(
        f"Path {place} cannot be signed: {message}. GET /v1/designs gives such addresses as "
        "`image_url`.",
        errors=[Fault(location=("paths", place), message=message)],
    )

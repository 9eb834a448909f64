"""Signed links at the door: a request that carries one needs no key, and opens one address."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from flask import Response, g, request

from shared import ids
from shared.errors import LinkRefusedError
from shared.schemas.keys import Scope
from web import auth
from web.links import SIGNATURE, SITE
from web.runtime import runtime

LINKABLE: Final = frozenset(
    {
        "designs.get_design_image",
        "garments.get_garment_image",
        "models.get_grid",
        "models.get_card",
        "trends.get_report_file",
    }
)
"""The views whose addresses may be signed. All answer with bytes, and change nothing."""

PICTURES: Final = frozenset({"designs.get_design_image", "garments.get_garment_image"})
"""Those among them that come in variants."""

_READS: Final = frozenset({"GET", "HEAD"})
_SITE_ID: Final = re.compile(rf"{ids.SITE}_[0-9a-z]{{24}}")
_GOOD: Final = frozenset({200, 304})


@dataclass(frozen=True)
class Admitted:
    """That a request came by a link, which holds for some seconds more."""

    seconds_left: int


def require(usual: Callable[[], None]) -> None:
    """Let a request through if it comes from a site, or by a link that a site gave out.

    Args:
        usual: lets those through that bring a key.

    Raises:
        UnauthorizedError: neither key nor link.
        LinkRefusedError: a link that was changed, is over, was taken back, or opens nothing.
    """
    if SIGNATURE not in request.args or "Authorization" in request.headers:
        usual()
        return
    site_id = request.args.get(SITE, "")
    if (
        request.method not in _READS
        or request.endpoint not in LINKABLE
        or not _SITE_ID.fullmatch(site_id)
    ):
        raise LinkRefusedError(
            "No link opens this. Links are for pictures, grids, cards and reports' files, as POST "
            "/v1/links gives them; all else needs a key.",
            why="not_linkable",
        )
    here = runtime()
    left = here.links.seconds_left(
        request.path,
        list(request.args.items(multi=True)),
        site_id=site_id,
        salt=here.limits.of(site_id).link_salt,
    )
    g.link = Admitted(left)
    g.caller = auth.Caller(site_id=site_id, key_id="", scopes=frozenset({Scope.READ}))


def finish(response: Response) -> Response:
    """Let caches keep what came by a link until its end, and pages of any origin show it."""
    link = g.get("link")
    if isinstance(link, Admitted) and response.status_code in _GOOD:
        may_change = response.cache_control.no_cache is not None
        kept = "no-cache" if may_change else f"max-age={link.seconds_left}, immutable"
        response.headers["Cache-Control"] = f"public, {kept}"
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response

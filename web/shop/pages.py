"""Serves `toile.js` to the pages of shops, wherever they are."""

import hashlib
from functools import cache
from importlib.resources import files
from typing import Final

from flask import Blueprint, Response, request

blueprint: Final = Blueprint("shop", __name__)

_SECONDS: Final = 3600
"""A shop's page that still has the module of an hour ago works as well."""


@cache
def _module() -> bytes:
    return (files("web.shop") / "toile.js").read_bytes()


@blueprint.get("/toile.js")
def module() -> Response:
    """Serve the module; it holds nothing of any site, so that any page may load it."""
    response = Response(_module(), mimetype="text/javascript")
    response.set_etag(hashlib.sha256(_module()).hexdigest())
    response.headers["Cache-Control"] = f"public, max-age={_SECONDS}"
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response.make_conditional(request)  # type: ignore[return-value]  # the same response

"""The page of a catalog: its styles, and from where its labels come."""

from typing import Final

from flask import Blueprint, redirect, url_for
from werkzeug.wrappers import Response as AnyResponse

from shared.records import catalogs, derivations, sites
from shared.schemas.derivations import StyleView
from web import auth, styling
from web.console import words
from web.console.pages import page
from web.runtime import runtime

blueprint: Final = Blueprint("styles", __name__, template_folder="templates")

SHOWN: Final = 12
"""Garments of a style."""


@blueprint.get("/catalogs/<catalog_id>")
def catalog(catalog_id: str) -> AnyResponse:
    """Show a catalog's styles by their most typical garments, and where its labels come from."""
    key = auth.session_key()
    if key is None:
        return redirect(url_for("console.login"))
    with runtime().records.reading() as tx:
        found = catalogs.get(tx, key.site_id, catalog_id)
        derivation = derivations.newest(tx, key.site_id, found.id)
        site = sites.get(tx, key.site_id).name
    return page(
        "catalog.html",
        catalog=found,
        told=styling.told(found.id, derivation),
        site=site,
        words=words,
        in_words=in_words,
        shown=SHOWN,
    )


def in_words(style: StyleView) -> str:
    """Return what most garments of a style share, such as `mostly red t-shirt`; empty if nothing.

    Colour and pattern stand before what the garment is, as people say it.
    """
    first = ("colour", "pattern")
    names = sorted(style.traits, key=lambda name: (name not in first, name))
    said = [style.traits[name].value for name in names if name != "colour_family"]
    return f"mostly {', '.join(said)}" if said else ""

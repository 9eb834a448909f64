"""Pages to read: the API's reference, its OpenAPI document, and what each problem means."""

import json
from typing import Any, Final

from flask import Blueprint, Response, current_app

from shared.errors import NotFoundError
from web.console.pages import page, told
from web.problems import KINDS

DOCUMENT: Final = "toile_openapi"
blueprint: Final = Blueprint("reference", __name__, template_folder="templates")

_METHODS: Final = ("get", "post", "put", "patch", "delete")


@blueprint.get("/openapi.json")
def openapi() -> Response:
    """Serve the OpenAPI 3.1 document."""
    response = Response(json.dumps(_document()), mimetype="application/json")
    response.headers["Cache-Control"] = "no-cache"
    return response


@blueprint.get("/docs")
def docs() -> Response:
    """Show the OpenAPI document to people."""
    document = _document()
    return page(
        "docs.html", document=document, groups=_groups(document), kind_of=kind_of, told=told
    )


@blueprint.get("/problems/<reason>")
def problem(reason: str) -> Response:
    """Explain a kind of problem."""
    kind = KINDS.get(reason)
    if kind is None:
        raise NotFoundError(f"There is no kind of problem {reason!r}.", known=sorted(KINDS))
    return page("problem.html", problem=None, reason=reason, kind=kind, told=told)


def kind_of(schema: dict[str, Any]) -> list[tuple[str, str | None]]:
    """Return a schema in a few words: (text, name of the schema to link to)."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rsplit("/", 1)[-1]
        return [(name, name)]
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return _joined(schema[several], " or ")
    if "const" in schema:
        return [(json.dumps(schema["const"]), None)]
    if "enum" in schema:
        return [(" | ".join(json.dumps(value) for value in schema["enum"]), None)]
    return _container(schema)


def _container(schema: dict[str, Any]) -> list[tuple[str, str | None]]:
    if schema.get("type") == "array":
        return [("list of ", None), *kind_of(schema.get("items", {}))]
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return [("map to ", None), *kind_of(schema["additionalProperties"])]
    name = str(schema.get("format") or schema.get("type") or "any value")
    return [(name, None), *_limits(schema)]


def _limits(schema: dict[str, Any]) -> list[tuple[str, str | None]]:
    names = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    told = [f"{sign} {schema[name]:,.10g}" for name, sign in names.items() if name in schema]
    return [(f" ({', '.join(told)})", None)] if told else []


def _joined(schemas: list[dict[str, Any]], word: str) -> list[tuple[str, str | None]]:
    parts: list[tuple[str, str | None]] = []
    for schema in schemas:
        parts += [(word, None)] if parts else []
        parts += kind_of(schema)
    return parts


def _groups(document: dict[str, Any]) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    operations = [
        {"path": path, "method": method, **methods[method]}
        for path, methods in document["paths"].items()
        for method in _METHODS
        if method in methods
    ]
    return [
        (tag, [one for one in operations if tag["name"] in one["tags"]]) for tag in document["tags"]
    ]


def _document() -> dict[str, Any]:
    found: dict[str, Any] = current_app.extensions[DOCUMENT]
    return found

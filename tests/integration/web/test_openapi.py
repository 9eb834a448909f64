"""The OpenAPI document says what the app does."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from web.app import Application


@pytest.fixture
def document(nobody: FlaskClient) -> dict[str, Any]:
    answer = nobody.get("/openapi.json")
    assert answer.content_type == "application/json"
    found: dict[str, Any] = answer.get_json()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for one in value.values():
            yield from references(one)
    elif isinstance(value, list):
        for one in value:
            yield from references(one)


def test_it_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert re.fullmatch(r"3\.1\.\d+", document["openapi"])
    assert document["info"]["title"] == "Toile"
    assert document["info"]["version"]
    schemes = document["components"]["securitySchemes"]
    assert set(schemes) == {"api_key", "publishable_key", "session_token"}
    for name in ("api_key", "session_token"):
        assert (schemes[name]["type"], schemes[name]["scheme"]) == ("http", "bearer")
    page = schemes["publishable_key"]
    assert (page["type"], page["in"], page["name"]) == ("apiKey", "header", "X-Toile-Key")


def test_every_route_of_the_app_is_in_it_and_no_other(
    app: Application, document: dict[str, Any]
) -> None:
    served = {
        (re.sub(r"<(?:[^<:]+:)?([^>]+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/v1/") or rule.rule in {"/healthz", "/readyz"}
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert {(path, method) for path, method, _ in operations(document)} == served


def test_every_reference_leads_to_a_schema(document: dict[str, Any]) -> None:
    for reference in references(document):
        place: Any = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def test_every_schema_is_used(document: dict[str, Any]) -> None:
    used = {reference.rsplit("/", 1)[-1] for reference in references(document)}
    assert set(document["components"]["schemas"]) == used


def test_every_operation_says_what_it_takes_and_answers(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))
    for path, _method, operation in operations(document):
        assert operation["summary"].endswith((".", ":")) or operation["summary"]
        in_path = set(re.findall(r"{(\w+)}", path))
        named = [one for one in operation.get("parameters", []) if one["in"] == "path"]
        assert {one["name"] for one in named} == in_path
        assert all(one["required"] for one in named)
        assert any(status.startswith("2") for status in operation["responses"])
        for answer in operation["responses"].values():
            assert answer["description"]


def test_every_operation_under_v1_needs_a_key_and_tells_its_problems(
    document: dict[str, Any],
) -> None:
    site: dict[str, list[str]] = {"api_key": []}
    page: dict[str, list[str]] = {"publishable_key": [], "session_token": []}
    for path, _method, operation in operations(document):
        if path.startswith("/v1/"):
            assert operation["security"] in ([site], [page, site])
            assert {"401", "403", "422", "500", "503"} <= operation["responses"].keys()
        for status, answer in operation["responses"].items():
            if status[0] in "45" and path.startswith("/v1/"):
                assert list(answer["content"]) == ["application/problem+json"]


def test_the_upload_takes_files_or_a_path(document: dict[str, Any]) -> None:
    body = document["paths"]["/v1/catalogs/{catalog}/garments"]["post"]["requestBody"]
    assert set(body["content"]) == {"multipart/form-data", "application/json"}


def test_the_reference_page_needs_nothing_from_elsewhere(nobody: FlaskClient) -> None:
    answer = nobody.get("/docs")
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "<script" not in answer.text
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', answer.text)
    for path in ("/v1/design-jobs", "/v1/jobs/{job}", "TrainingRequest"):
        assert path in answer.text
    anchors = set(re.findall(r'href="#([^"]+)"', answer.text))
    assert anchors <= set(re.findall(r'id="([^"]+)"', answer.text))

"""The front keeps to its own OpenAPI document, whatever it is sent.

Schemathesis makes requests from the document, valid and not. Half of those with an id in their
address name a thing that is there. `make fuzz` makes ten thousand; `make test` a few of each.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks as openapi

from tests.fixtures.shop import Shop
from web.app import Application

pytestmark = pytest.mark.timeout(3600)

# The others ask for more than a document can promise: that whatever fits its schema is accepted
# (a cursor fits, and names nothing), or that a thing is there the moment after.
CHECKED = [
    not_a_server_error,
    openapi.content_type_conformance,
    openapi.missing_required_header,
    openapi.negative_data_rejection,
    openapi.response_headers_conformance,
    openapi.response_schema_conformance,
    openapi.status_code_conformance,
    openapi.unsupported_method,
]
FEW = 3


@pytest.fixture(scope="session")
def cases(request: pytest.FixtureRequest) -> int | None:
    """How many requests to make in all; None for a few of each operation."""
    found: int | None = request.config.getoption("--cases")
    return found


def operations(app: Application) -> list[Any]:
    schema = schemathesis.openapi.from_wsgi("/openapi.json", app)
    return [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]


def known(shop: Shop) -> dict[str, str]:
    """Things that are there, by the name of their place in an address."""
    return {
        "alert": shop.alert_id,
        "catalog": shop.catalog_id,
        "design": shop.design_ids[0],
        "erasure": shop.erasure_id,
        "feed": shop.feed_id,
        "garment": shop.garment_ids[0],
        "job": shop.jobs["training"],
        "model": shop.model_id,
        "ref": "c-7",
        "release": shop.release_id,
        "report": shop.report_id,
    }


def attack(operation: Any, count: int, *, headers: dict[str, str], there: dict[str, str]) -> int:
    """Send requests to one operation and check every answer; returns how many were sent."""
    sent = 0

    @given(case=operation.as_strategy(), names_what_is_there=st.booleans())
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def one(case: Any, *, names_what_is_there: bool) -> None:
        nonlocal sent
        sent += 1
        if names_what_is_there:
            for name in case.path_parameters:
                case.path_parameters[name] = there.get(name, case.path_parameters[name])
        # A long poll is a wait, not an answer.
        if "wait" in case.query:
            case.query["wait"] = 0
        case.call_and_validate(headers=headers, checks=CHECKED)

    one()
    return sent


def of_each(app: Application, cases: int | None) -> Iterator[tuple[Any, int]]:
    found = operations(app)
    # A few more: some operations have fewer different requests than that.
    each = FEW if cases is None else -(-cases * 11 // (20 * len(found)))
    return ((operation, each) for operation in found)


def test_with_a_key(app: Application, shop: Shop, client: FlaskClient, cases: int | None) -> None:
    for_one = {"kind": "like", "item": shop.garment_ids[0]}
    client.post("/v1/shoppers/c-7/preferences", json=for_one)
    headers = {"Authorization": f"Bearer {shop.secret}"}
    sent = sum(
        attack(operation, each, headers=headers, there=known(shop))
        for operation, each in of_each(app, cases)
    )
    assert sent >= (cases or 0) // 2


def test_without_a_key(app: Application, shop: Shop, cases: int | None) -> None:
    sent = sum(
        attack(operation, each, headers={}, there=known(shop))
        for operation, each in of_each(app, cases)
    )
    assert sent >= (cases or 0) // 2

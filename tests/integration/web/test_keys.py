"""Who is let in."""

import pytest
from flask.testing import FlaskClient

from shared.console import session_token
from shared.records import Records, sites
from shared.settings import Settings
from tests.fixtures.shop import Shop
from web.app import Application
from web.auth import COOKIE


def test_a_request_without_a_key_is_told_how_to_send_one(nobody: FlaskClient) -> None:
    answer = nobody.get("/v1/jobs")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.content_type == "application/problem+json"
    assert "Authorization: Bearer" in answer.get_json()["detail"]


@pytest.mark.parametrize(
    "header", ["Bearer toile_wrong", "Bearer", "Basic dG9pbGU6dG9pbGU=", "toile_x", "Bearer \xe9"]
)
def test_a_wrong_key_is_refused(nobody: FlaskClient, header: str) -> None:
    answer = nobody.get("/v1/jobs", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.get_json()["reason"] == "unauthorized"


def test_a_revoked_key_is_useless_within_five_seconds(
    app: Application, client: FlaskClient, records: Records, shop: Shop
) -> None:
    assert client.get("/v1/jobs").status_code == 200
    with records.transaction() as tx:
        sites.revoke_key(tx, shop.key_id)
    app.extensions["toile"].keys._now = lambda: 1e12
    assert client.get("/v1/jobs").status_code == 401


def test_the_consoles_session_may_read_but_not_write(
    nobody: FlaskClient, settings: Settings, shop: Shop
) -> None:
    nobody.set_cookie(COOKIE, session_token(settings, shop.key_id))
    assert nobody.get(f"/v1/designs/{shop.design_ids[0]}/image").status_code == 200
    assert nobody.post("/v1/catalogs", json={"name": "new"}).status_code == 401


def test_a_forged_session_opens_nothing(
    nobody: FlaskClient, settings: Settings, shop: Shop
) -> None:
    forger = settings.model_copy(update={"home": settings.home / "elsewhere"})
    nobody.set_cookie(COOKIE, session_token(forger, shop.key_id))
    assert nobody.get("/v1/jobs").status_code == 401


def test_a_wrong_key_is_not_saved_by_a_good_session(
    nobody: FlaskClient, settings: Settings, shop: Shop
) -> None:
    nobody.set_cookie(COOKIE, session_token(settings, shop.key_id))
    answer = nobody.get("/v1/jobs", headers={"Authorization": "Bearer toile_wrong"})
    assert answer.status_code == 401

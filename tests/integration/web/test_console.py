"""The first page and the door to it."""

import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from redis import Redis

from shared.artifacts import ArtifactStore, keys
from shared.console import console_token
from shared.jobs import lifecycle
from shared.jobs.submit import enqueue
from shared.queue.status import StatusBoard, StatusDocument
from shared.records import Records, reports, sites
from shared.schemas.jobs import JobState, MetricPoint, Progress, TrendSpec
from shared.schemas.trends import TrendOptions
from shared.settings import Settings
from tests.fixtures.shop import Shop, add_catalog, design_spec, open_shop, running, training_spec
from web.app import Application

EVIL = "<script>alert(1)</script>\"'>"


@pytest.fixture
def visitor(nobody: FlaskClient, shop: Shop) -> FlaskClient:
    """A browser that logged in."""
    assert nobody.post("/login", data={"key": shop.secret}).status_code == 302
    return nobody


def test_a_stranger_is_sent_to_the_door(nobody: FlaskClient) -> None:
    answer = nobody.get("/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/login")
    assert nobody.get("/login").status_code == 200


def test_a_key_opens_the_door_and_the_cookie_is_guarded(nobody: FlaskClient, shop: Shop) -> None:
    answer = nobody.post("/login", data={"key": f" {shop.secret} "})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie
    assert shop.secret not in cookie
    assert nobody.get("/").status_code == 200


def test_over_https_the_cookie_is_for_https_only(nobody: FlaskClient, shop: Shop) -> None:
    answer = nobody.post("/login", data={"key": shop.secret}, base_url="https://toile.example")
    assert "Secure" in answer.headers["Set-Cookie"]


def test_a_wrong_key_opens_nothing(nobody: FlaskClient) -> None:
    answer = nobody.post("/login", data={"key": EVIL})
    assert answer.status_code == 401
    assert "not known" in answer.text
    assert EVIL not in answer.text
    assert "Set-Cookie" not in answer.headers


def test_a_signed_link_lets_in_once(
    app: Application, settings: Settings, shop: Shop, redis: Redis
) -> None:
    assert redis.ping()
    place = f"/login?token={console_token(settings, shop.key_id)}"
    first, second = app.test_client(), app.test_client()
    assert first.get(place).headers["Location"] == "/"
    assert first.get("/").status_code == 200
    assert first.get(place).headers["Location"] == "/"
    again = second.get(place)
    assert again.status_code == 401
    assert "used already" in again.text


def test_a_link_that_is_forged_or_of_a_revoked_key_opens_nothing(
    nobody: FlaskClient, settings: Settings, records: Records, shop: Shop
) -> None:
    assert nobody.get("/login?token=forged.token").status_code == 401
    token = console_token(settings, shop.key_id)
    with records.transaction() as tx:
        sites.revoke_key(tx, shop.key_id)
    assert nobody.get(f"/login?token={token}").status_code == 401


def test_a_session_is_no_link_and_a_link_is_no_session(
    nobody: FlaskClient, settings: Settings, shop: Shop
) -> None:
    nobody.set_cookie("toile_session", console_token(settings, shop.key_id))
    assert nobody.get("/").status_code == 302


def test_logging_out_closes_the_door(visitor: FlaskClient) -> None:
    assert visitor.post("/logout").status_code == 302
    assert visitor.get("/").status_code == 302


def test_forms_sent_by_another_sites_page_are_refused(nobody: FlaskClient, shop: Shop) -> None:
    headers = {"Sec-Fetch-Site": "cross-site"}
    answer = nobody.post("/login", data={"key": shop.secret}, headers=headers)
    assert answer.status_code == 403


def test_the_page_shows_what_the_site_has(visitor: FlaskClient, shop: Shop) -> None:
    text = visitor.get("/").text
    assert "48</b> garments in 1 catalog" in text
    assert f"/v1/releases/{shop.release_id}/grid" in text
    for design_id in shop.design_ids:
        assert f"/v1/designs/{design_id}/image" in text
    assert "Green is rising" in text
    assert f"/v1/trend-reports/{shop.report_id}/files/report.html" in text
    assert "48 added, 3 merged, 1 rejected" in text
    assert "http-equiv" not in text


def test_everything_that_the_page_names_is_there(visitor: FlaskClient) -> None:
    text = visitor.get("/").text
    for place in set(re.findall(r'(?:src|href)="(/[^"]*)"', text)):
        with visitor.get(place) as answer:
            assert answer.status_code == 200, place


def test_a_reports_page_tells_what_is_new_and_links_all_of_it(
    visitor: FlaskClient, shop: Shop, records: Records, store: ArtifactStore
) -> None:
    place = f"/reports/{shop.report_id}"
    assert place in visitor.get("/").text
    text = visitor.get(place).text
    assert "Green is rising" in text
    assert "begins to rise" in text
    assert "79%</b> in the 80% interval" in text
    assert "No moodboards were asked for" in text
    boards = store.put(keys.report_file(str(shop.report_id), "moodboard.html"), b"<title>x</title>")
    with records.transaction() as tx:
        files = {"moodboard.html": boards.key}
        reports.add_moodboards(tx, str(shop.report_id), told={"boards": 1}, files=files)
    text = visitor.get(place).text
    for name in ("report.html", "moodboard.html", "series.csv", "report.json", "plots/rising.svg"):
        assert f"/v1/trend-reports/{shop.report_id}/files/{name}" in text
    for address in set(re.findall(r'(?:src|href)="(/[^"]*)"', text)):
        with visitor.get(address) as answer:
            assert answer.status_code == 200, address
    assert visitor.get("/reports/rep_never").status_code == 404


def test_the_last_good_report_says_that_newer_ones_fail(
    visitor: FlaskClient, shop: Shop, records: Records
) -> None:
    pages = ("/", f"/reports/{shop.report_id}")
    for place in pages:
        assert "last good report" not in visitor.get(place).text
    with records.transaction() as tx:
        report = reports.get(tx, shop.site_id, str(shop.report_id)).report
        spec = TrendSpec(catalog_id=report.catalog_id, options=TrendOptions())
        error = {"reason": "too_little_data", "message": f"too few: {EVIL}", "details": {}}
        failed = lifecycle.finish(tx, running(tx, shop, spec), JobState.FAILED, error=error)
    for place in pages:
        text = visitor.get(place).text
        assert "This is the last good report: a newer one failed on" in text
        assert "too few: &lt;script&gt;" in text
        assert EVIL not in text
        assert f'href="/v1/jobs/{failed.id}"' in text
    with records.transaction() as tx:
        values: dict[str, Any] = {
            "id": "rep_newer", "site_id": shop.site_id, "job_id": failed.id,
            "catalog_id": report.catalog_id, "data_fingerprint": "f", "summary": {}, "files": {},
        }  # fmt: skip
        reports.publish(tx, values)
    assert "last good report" not in visitor.get(pages[1]).text, "another one follows it"


def test_the_page_loads_itself_again_while_something_moves(
    visitor: FlaskClient, records: Records, redis: Redis, shop: Shop
) -> None:
    with records.transaction() as tx:
        job = running(tx, shop, training_spec(shop, model="autumn"))
        failed = running(tx, shop, design_spec(shop))
        error = {"reason": "release_corrupt", "message": "Its files are damaged."}
        lifecycle.finish(tx, failed, JobState.FAILED, error=error, reason="release_corrupt")
        enqueue(tx, shop.site_id, design_spec(shop, count=1))
    progress = Progress(
        fraction=0.5, eta_seconds=200, images_seen=4096, images_per_second=900, message="training",
        preview_url=f"/v1/jobs/{job.id}/preview?v=1",
    )  # fmt: skip
    StatusBoard(redis).write(job.id, StatusDocument(fence=job.fence, progress=progress))
    text = visitor.get("/").text
    for words in (
        'http-equiv="refresh"',
        "Train autumn on summer",
        'value="0.5000"',
        "50%",
        "about 3 min left",
        "4,096 images seen",
        f"/v1/jobs/{job.id}/preview?v=1",
        "Its files are damaged.",
    ):
        assert words in text


def test_a_training_has_a_page_with_its_losses_metric_and_samples(
    visitor: FlaskClient, records: Records, redis: Redis, shop: Shop
) -> None:
    with records.transaction() as tx:
        job = running(tx, shop, training_spec(shop, model="autumn"))
    readings = tuple(
        MetricPoint(images=1000 * n, seconds=n, value=900 / n, low=800 / n, high=950 / n)
        for n in range(1, 9)
    )
    progress = Progress(
        fraction=0.5, eta_seconds=200, images_seen=8000, images_per_second=812, message="training",
        losses={"discriminator": 0.6512, "generator": 1.42}, metric="fd_indomain[A@1a2b3c4d]",
        metrics=readings, preview_url=f"/v1/jobs/{job.id}/preview?v=1",
    )  # fmt: skip
    StatusBoard(redis).write(job.id, StatusDocument(fence=job.fence, progress=progress))
    place = f"/trainings/{job.id}"
    assert f'href="{place}"' in visitor.get("/").text
    text = visitor.get(place).text
    for words in (
        'http-equiv="refresh"', "autumn", "on summer, version 1", "50%", "discriminator 0.651",
        "812</b> images a second", "fd_indomain[A@1a2b3c4d]", "<polyline", "<polygon",
        f"/v1/jobs/{job.id}/preview?v=1", "3 minutes",
    ):  # fmt: skip
        assert words in text
    assert visitor.get(f"/v1/jobs/{job.id}").get_json()["progress"]["metrics"][7]["value"] == 112.5


def test_a_training_that_is_over_leads_to_its_card(visitor: FlaskClient, shop: Shop) -> None:
    text = visitor.get(f"/trainings/{shop.jobs['training']}").text
    assert f"/v1/releases/{shop.release_id}/card" in text
    assert f"/v1/releases/{shop.release_id}/grid" in text
    assert "http-equiv" not in text


def test_only_the_sites_own_trainings_have_a_page(
    app: Application, visitor: FlaskClient, records: Records, shop: Shop
) -> None:
    assert visitor.get(f"/trainings/{shop.jobs['design']}").status_code == 404
    assert visitor.get("/trainings/job_never").status_code == 404
    place = f"/trainings/{shop.jobs['training']}"
    stranger = app.test_client()
    assert stranger.get(place).headers["Location"] == "/login"
    stranger.post("/login", data={"key": open_shop(records, "rival").secret})
    assert stranger.get(place).status_code == 404


def test_an_empty_site_is_told_how_to_begin(app: Application, records: Records) -> None:
    client = app.test_client()
    client.post("/login", data={"key": open_shop(records, "empty").secret})
    text = client.get("/").text
    assert text.count("toile ") >= 4


def test_everything_is_escaped(app: Application, records: Records, store: ArtifactStore) -> None:
    shop = open_shop(records, EVIL)
    with records.transaction() as tx:
        add_catalog(tx, store, shop, name=EVIL[:80])
        failed = running(tx, shop, training_spec(shop, model=EVIL))
        error = {"reason": EVIL, "message": EVIL}
        lifecycle.finish(tx, failed, JobState.FAILED, error=error, reason=EVIL)
        job = running(tx, shop, training_spec(shop, model=EVIL))
    client = app.test_client()
    client.post("/login", data={"key": shop.secret})
    for place in ("/", f"/trainings/{job.id}", f"/trainings/{failed.id}"):
        text = client.get(place).text
        assert "&lt;script&gt;" in text
        assert "<script" not in text


def test_pages_allow_no_script_and_no_inline_style(visitor: FlaskClient, shop: Shop) -> None:
    training = f"/trainings/{shop.jobs['training']}"
    for place in ("/", "/login", "/docs", "/problems/not_found", training):
        answer = visitor.get(place)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert "style=" not in answer.text
        assert "<style" not in answer.text
        assert answer.headers["Cache-Control"] == "no-store"


def test_a_person_is_shown_a_problem_as_a_page_and_a_program_as_a_document(
    nobody: FlaskClient,
) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    place = "/nowhere/%3Cscript%3E"
    shown = nobody.get(place, headers=browser)
    assert (shown.status_code, shown.mimetype) == (404, "text/html")
    assert "unsafe" not in shown.headers["Content-Security-Policy"]
    assert "<script" not in shown.text
    assert nobody.get(place).mimetype == "application/problem+json"
    answer = nobody.get("/v1/jobs", headers=browser)
    assert answer.mimetype == "application/problem+json"


def test_two_links_made_at_once_both_work(
    app: Application, settings: Settings, shop: Shop, redis: Redis
) -> None:
    assert redis.ping()
    for token in (console_token(settings, shop.key_id), console_token(settings, shop.key_id)):
        assert app.test_client().get(f"/login?token={token}").status_code == 302

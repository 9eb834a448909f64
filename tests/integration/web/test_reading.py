"""Reading models, designs and reports."""

from flask.testing import FlaskClient

from shared.artifacts import ArtifactStore, keys
from shared.records import Records, reports
from tests.fixtures.shop import Shop, add_report


def test_a_model_is_found_by_id_and_by_name_with_its_releases(
    client: FlaskClient, shop: Shop
) -> None:
    (model,) = client.get("/v1/models").get_json()["items"]
    assert model["newest_release_id"] == shop.release_id
    assert client.get("/v1/models/default").get_json() == model
    (release,) = client.get(f"{model['url']}/releases").get_json()["items"]
    assert client.get(release["url"]).get_json() == release
    assert release["vocabulary"]["category"] == ["coat", "dress", "shirt", "trousers"]
    assert client.get(release["grid_url"]).content_type == "image/png"


def test_a_releases_card_is_a_page_that_runs_nothing_and_asks_the_network_nothing(
    client: FlaskClient, shop: Shop
) -> None:
    release = client.get(f"/v1/releases/{shop.release_id}").get_json()
    answer = client.get(release["card_url"])
    assert answer.content_type.startswith("text/html")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"].endswith("immutable")


def test_a_release_whose_card_is_lost_says_so(
    client: FlaskClient, shop: Shop, store: ArtifactStore
) -> None:
    store.delete(keys.release_file(shop.release_id, "card.html"))
    answer = client.get(f"/v1/releases/{shop.release_id}/card")
    assert (answer.status_code, answer.get_json()["reason"]) == (404, "not_found")


def test_designs_are_found_by_job_and_by_release(client: FlaskClient, shop: Shop) -> None:
    for query in (f"job={shop.jobs['design']}", f"release={shop.release_id}"):
        assert len(client.get(f"/v1/designs?{query}").get_json()["items"]) == 8
    assert client.get("/v1/designs?job=job_never").get_json()["items"] == []
    design = client.get(f"/v1/designs/{shop.design_ids[3]}").get_json()
    assert (design["position"], design["seed"]) == (3, 10)
    image = client.get(design["image_url"])
    assert (image.content_type, image.headers["ETag"]) == ("image/png", f'"{design["sha256"]}"')


def test_the_newest_report_is_found_as_latest(client: FlaskClient, shop: Shop) -> None:
    report = client.get("/v1/trend-reports/latest").get_json()
    assert report["id"] == shop.report_id
    assert client.get(report["url"]).get_json() == report
    assert client.get("/v1/trend-reports").get_json()["items"] == [report]
    assert {"plots/rising.png", "report.html", "report.json"} <= set(report["files"])
    assert report["moodboards"]["page_url"] is None


def test_the_newest_report_is_sent_once_while_it_stays_the_same(
    client: FlaskClient, shop: Shop
) -> None:
    assert shop.report_id
    for place in ("latest", "latest/difference", "latest/record", "latest/files/report.html"):
        first = client.get(f"/v1/trend-reports/{place}")
        assert first.status_code == 200
        held = {"If-None-Match": first.headers["ETag"]}
        again = client.get(f"/v1/trend-reports/{place}", headers=held)
        assert (again.status_code, again.data) == (304, b"")


def test_a_new_report_or_its_moodboards_change_the_newest_ones_tag(
    client: FlaskClient, shop: Shop, records: Records, store: ArtifactStore
) -> None:
    before = client.get("/v1/trend-reports/latest").headers["ETag"]
    page = store.put(keys.report_file(str(shop.report_id), "moodboard.html"), b"<title>x</title>")
    with records.transaction() as tx:
        reports.add_moodboards(
            tx, str(shop.report_id), told={"boards": 2}, files={"moodboard.html": page.key}
        )
    report = client.get("/v1/trend-reports/latest")
    assert report.headers["ETag"] != before
    assert report.get_json()["moodboards"]["boards"] == 2
    answer = client.get(report.get_json()["moodboards"]["page_url"])
    assert answer.headers["Cache-Control"] == "private, no-cache"
    held = {"If-None-Match": report.headers["ETag"]}
    with records.transaction() as tx:
        add_report(tx, store, shop)
    assert client.get("/v1/trend-reports/latest", headers=held).status_code == 200


def test_tables_are_served_and_what_the_library_lacks_is_said(
    client: FlaskClient, shop: Shop
) -> None:
    place = f"/v1/trend-reports/{shop.report_id}/files"
    assert client.get(f"{place}/series.csv").content_type.startswith("text/csv")
    answer = client.get(f"{place}/series.parquet")
    assert answer.status_code == 501
    assert "extra `parquet`" in answer.get_json()["detail"]
    assert "series.csv" in answer.get_json()["detail"]


def test_a_reports_page_runs_nothing_and_asks_the_network_nothing(
    client: FlaskClient, shop: Shop
) -> None:
    answer = client.get(f"/v1/trend-reports/{shop.report_id}/files/report.html")
    assert answer.content_type.startswith("text/html")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert answer.headers["Cache-Control"].endswith("immutable")
    newest = client.get("/v1/trend-reports/latest/files/report.html")
    assert newest.headers["Cache-Control"] == "private, no-cache"


def test_only_files_that_the_report_names_are_served(client: FlaskClient, shop: Shop) -> None:
    place = f"/v1/trend-reports/{shop.report_id}/files"
    assert client.get(f"{place}/plots/rising.png").content_type == "image/png"
    for name in ("plots/other.png", "../report.json", "%2e%2e/%2e%2e/toile.sqlite3", "plots"):
        assert client.get(f"{place}/{name}").status_code == 404


def test_a_site_without_reports_has_no_latest(rival: FlaskClient) -> None:
    assert rival.get("/v1/trend-reports/latest").status_code == 404

"""`toile trends`, `toile alerts` and `toile moodboard` against a made-up server."""

from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.api import FakeApi, job_document
from tests.fixtures.toile import Toile

AT = "2026-11-01T00:00:00Z"
REPORT: dict[str, Any] = {
    "id": "rep_1", "job_id": "job_1", "catalog_id": None, "data_fingerprint": "f" * 64,
    "summary": {"period": "month", "first": "2024-01-01", "last": "2026-10-01", "garments": 480},
    "files": ["forecast.csv", "report.html", "series.csv"], "created_at": AT,
    "url": "/v1/trend-reports/rep_1", "page_url": "/v1/trend-reports/rep_1/files/report.html",
    "moodboards": {"why": "The site has no release yet."},
}  # fmt: skip
ALERT: dict[str, Any] = {
    "id": "alert_1", "catalog_id": None, "attribute": "colour", "value": "green", "segment": None,
    "kinds": ["rising"], "created_at": AT, "stopped_at": None, "url": "/v1/trend-alerts/alert_1",
}  # fmt: skip
FIRED: dict[str, Any] = {
    "id": "fired_1", "alert_id": "alert_1", "report_id": "rep_1", "attribute": "colour",
    "value": "green", "segment": None, "kind": "rising", "change": 0.42, "q_value": 0.01,
    "garments": 80, "fired_at": AT, "ended_at": None, "report_url": "/v1/trend-reports/rep_1",
}  # fmt: skip


def listed(*items: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    return 200, {"items": list(items), "next_cursor": None}


def test_a_report_saves_its_tables_and_tells_what_is_new(
    toile: Toile, api: FakeApi, tmp_path: Path
) -> None:
    api["POST /v1/trend-reports"] = (202, job_document("trend_report"))
    done = job_document("trend_report", "succeeded", result={"report_id": "rep_1"})
    api["GET /v1/jobs/job_1"] = (200, done)
    api["GET /v1/trend-reports/rep_1"] = (200, REPORT)
    for name in ("series.csv", "forecast.csv"):
        api[f"GET /v1/trend-reports/rep_1/files/{name}"] = (200, b"attribute,value\r\n")
    moved = {"attribute": "colour", "value": "green", "before": "stable", "now": "rising"}
    api["GET /v1/trend-reports/rep_1/difference"] = (
        200,
        {
            "against": "rep_0", "against_at": AT, "new_rises": [moved], "new_falls": [],
            "ended": [], "class_changes": [], "revisions": [],
        },
    )  # fmt: skip
    ran = toile("trends", "--tables", tmp_path / "tables")
    assert ran.code == 0, ran.err
    assert "begins to rise" in ran.out
    assert "stable -> rising" in ran.out
    assert sorted(one.name for one in (tmp_path / "tables").iterdir()) == [
        "forecast.csv",
        "series.csv",
    ]


def test_alerts_are_added_listed_and_stopped(toile: Toile, api: FakeApi) -> None:
    api["POST /v1/trend-alerts"] = (201, ALERT)
    api["GET /v1/trend-alerts"] = listed(ALERT)
    api["GET /v1/trend-alerts/fired"] = listed(FIRED)
    api["DELETE /v1/trend-alerts/alert_1"] = (200, {**ALERT, "stopped_at": AT})
    ran = toile("alerts", "add", "--attribute", "colour", "--value", "green", "--kind", "rising")
    assert ran.code == 0, ran.err
    (body,) = api.bodies("POST /v1/trend-alerts")
    assert body == {"attribute": "colour", "value": "green", "kinds": ["rising"]}
    assert "watching" in toile("alerts", "list").out
    assert "+42%" in toile("alerts", "fired").out
    assert "Stopped alert_1" in toile("alerts", "stop", "alert_1").out


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (
            {
                "boards": 2,
                "designs": 40,
                "page_url": "/v1/trend-reports/rep_1/files/moodboard.html",
            },
            "2 boards, 40 designs",
        ),
        ({"boards": 0, "designs": 0, "page_url": None, "why": "Nothing rises."}, "Nothing rises."),
    ],
)
def test_moodboards_are_drawn_or_it_is_said_why_not(
    toile: Toile, api: FakeApi, result: dict[str, Any], told: str
) -> None:
    api["POST /v1/trend-reports/latest/moodboard"] = (202, job_document("moodboard"))
    api["GET /v1/jobs/job_1"] = (200, job_document("moodboard", "succeeded", result=result))
    ran = toile("moodboard", "--count", "4", "--seed", "7")
    assert ran.code == 0, ran.err
    assert told in ran.out
    (body,) = api.bodies("POST /v1/trend-reports/latest/moodboard")
    assert body == {"count": 4, "rack": 24, "seed": 7}

"""Jobs and times in words."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.schemas.jobs import Job, JobKind, JobState
from shared.schemas.reports import Failing
from web.console import words
from web.console.pages import told
from web.console.reference import kind_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def a_job(kind: JobKind, **changes: Any) -> Job:
    values = {
        "id": "job_1", "kind": kind, "state": JobState.SUCCEEDED, "spec": {}, "attempts": 1,
        "created_at": NOW, "url": "/v1/jobs/job_1", **changes,
    }  # fmt: skip
    return Job.model_validate(values)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "just now"),
        (-3, "just now"),
        (5, "5 s ago"),
        (59, "59 s ago"),
        (90, "2 min ago"),
        (3_600, "60 min ago"),
        (7_300, "2 h ago"),
        (200_000, "2 days ago"),
    ],
)
def test_times_are_told_in_one_unit(seconds: float, told: str) -> None:
    assert words.ago(NOW - timedelta(seconds=seconds), NOW) == told


@pytest.mark.parametrize("kind", JobKind)
def test_a_job_of_any_shape_has_a_title_and_a_note(kind: JobKind) -> None:
    for spec in ({}, {"count": 1}, {"source": "old"}, {"condition": None, "attributes": None}):
        job = a_job(kind, spec=spec, result={"added": 3, "rejected": None})
        assert words.title(job, {})
        assert isinstance(words.note(job), str)


@pytest.mark.parametrize(
    ("summary", "told"),
    [
        ({}, "Nothing moves beyond chance"),
        ({"rising": [{"value": "green", "significant": False}]}, "Nothing moves beyond chance"),
        ({"rising": [{"value": "green", "significant": True}]}, "Green is rising"),
        (
            {
                "rising": [{"value": "green", "significant": True}],
                "declining": [{"value": "navy", "significant": True}],
            },
            "Green is rising; navy is going out",
        ),
        ({"rising": "old", "declining": [None]}, "Nothing moves beyond chance"),
    ],
)
def test_a_report_has_a_headline(summary: dict[str, Any], told: str) -> None:
    assert words.headline(summary) == told


def test_descriptions_are_escaped_and_code_is_set_as_code() -> None:
    assert told("send `<b>` & `x`") == "send <code>&lt;b&gt;</code> &amp; <code>x</code>"
    assert told(None) == ""


def test_schemas_are_told_in_a_few_words() -> None:
    def text(schema: dict[str, Any]) -> str:
        return "".join(part for part, _ in kind_of(schema))

    assert text({"type": "integer", "minimum": 1, "maximum": 64}) == "integer (≥ 1, ≤ 64)"
    assert text({"anyOf": [{"type": "string"}, {"type": "null"}]}) == "string or null"
    assert text({"type": "array", "items": {"$ref": "#/x/Job"}}) == "list of Job"
    assert text({"type": "object", "additionalProperties": {"type": "string"}}) == "map to string"
    assert text({"enum": ["png", "webp"]}) == '"png" | "webp"'
    assert text({}) == "any value"


@pytest.mark.parametrize(
    ("attempts", "message", "told"),
    [
        (1, "no dates.", "a newer one failed on 1 January 2026, 00:00 UTC because: no dates."),
        (3, "no dates.", "3 newer ones have failed since 1 January 2026, 00:00 UTC, the last"),
        (1, "", "because: every attempt failed"),
    ],
)  # fmt: skip
def test_the_last_good_report_says_since_when_and_why_others_failed(
    attempts: int, message: str, told: str
) -> None:
    found = Failing(
        since=NOW, attempts=attempts, job_id="job_1", reason="attempts_exhausted", message=message
    )
    text = words.failing(found)
    assert text.startswith("This is the last good report: ")
    assert told in text
    assert message in text

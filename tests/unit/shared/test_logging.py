"""Log lines: whole, unforged, and without secrets."""

import json
import logging
import sys
from typing import Any

import pytest

from shared.logging import Context, JsonLines, TextLines, enter, job_context, masked


@pytest.fixture(autouse=True)
def _nothing_before() -> None:
    enter(Context())


def record(message: str, *words: object, **extra: Any) -> logging.LogRecord:
    made = logging.makeLogRecord(
        {"name": "web.app", "levelname": "INFO", "levelno": 20, "msg": message, "args": words}
    )
    vars(made).update(extra)
    return made


FORGED = (
    "a\nERROR b",
    "a\r\nb",
    "\x1b[31mred",
    "a\u2028b",
    "a\x85b",
    "\u202egnp.exe",
    "\x9b31m",
    "nul\x00",
)


@pytest.mark.parametrize("text", FORGED)
@pytest.mark.parametrize("lines", [TextLines(), JsonLines()])
def test_no_text_from_outside_begins_a_line_or_steers_a_terminal(
    text: str, lines: logging.Formatter
) -> None:
    line = lines.format(record("Asked for %s", text))
    assert len(line.splitlines()) == 1
    assert line.isprintable()


def test_an_error_with_line_breaks_cannot_look_like_a_line_of_the_log() -> None:
    try:
        raise ValueError("no\n2026-01-01 00:00:00 ERROR forged [-] \x1b[2J gone")  # noqa: TRY301
    except ValueError:
        broken = record("Broke", exc_info=sys.exc_info())
    _, *more = TextLines().format(broken).split("\n")
    assert more
    assert all(line.startswith("    | ") and line.isprintable() for line in more)
    told = json.loads(JsonLines().format(broken))
    assert "forged" in told["traceback"]


def test_a_json_line_says_to_what_it_belongs() -> None:
    lines = JsonLines("generate@host")
    with job_context("job_1", site="site_1", request="abcd", trace="f" * 32):
        told = json.loads(lines.format(record("Made %d", 3, ms=1.5, jobs=["job_1"])))
    assert told["message"] == "Made 3"
    wanted = {
        "level": "info", "logger": "web.app", "job": "job_1", "site": "site_1", "request": "abcd",
        "trace": "f" * 32, "worker": "generate@host", "ms": 1.5, "jobs": ["job_1"],
    }  # fmt: skip
    assert wanted.items() <= told.items()
    assert told["time"].endswith("+00:00")
    outside = json.loads(lines.format(record("Idle")))
    assert not {"job", "site", "request", "trace"} & outside.keys()


def test_a_text_line_carries_job_and_request() -> None:
    with job_context("job_1", request="abcd"):
        assert "[job_1 abcd] Made" in TextLines().format(record("Made"))
    assert "[-] Idle" in TextLines().format(record("Idle"))


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("key toile_Ab3-_" + "x" * 38, "x" * 38),
        ("toile_pub_" + "Zz9_" * 9, "Zz9_Zz9_Zz9_"),
        ("Authorization: Bearer abcdefgh.ijklmnop", "ijklmnop"),
        ("redis://:hunter22@host:6379/0", "hunter22"),
        ("postgresql+psycopg://toile:hunter22@db/toile", "hunter22"),
        ("GET /login?token=hunter22&x=1", "hunter22"),
        ("whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "GKYqrTwjUPD8ILPZIo2LaLaSw"),
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str, secret: str) -> None:
    assert secret not in masked(text)
    assert "***" in masked(text)


def test_plain_words_are_left_alone() -> None:
    for text in ("toile_jobs_total", "Basic facts", "http://host:8000/a@b", "made 3 images"):
        assert masked(text) == text

"""Traces: nothing where they are off, whole where they are on."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared import tracing
from shared.settings import Settings, load_settings

pytest.importorskip("opentelemetry.sdk")

PARENT = f"00-{'a' * 32}-{'b' * 16}-01"


@pytest.fixture
def spans() -> Iterator[Any]:
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    tracing.configure(Settings(), service="toile-tests", exporter=exporter)
    yield exporter
    tracing.close()


def finished(exporter: Any) -> list[Any]:
    tracing.flush()
    return list(exporter.get_finished_spans())


def test_off_nothing_is_told_and_nothing_is_loaded(tmp_path: Path) -> None:
    assert not tracing.is_on()
    with tracing.span("request", parent=PARENT) as more:
        more["x"] = 1
        assert tracing.current() is None
    assert tracing.record("claim", parent=PARENT, began=1, ended=2) is None
    code = (
        "import sys; from shared import tracing; from shared.settings import load_settings;"
        "tracing.configure(load_settings({}), service='x');"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])
    assert not list(tmp_path.iterdir())


def test_spans_and_what_is_told_afterwards_are_of_one_trace(spans: Any) -> None:
    with tracing.span("request", parent=PARENT, is_request=True, told={"a": 1}) as more:
        more["b"] = 2
        with tracing.span("submit"):
            asked = tracing.current()
    attempt = tracing.record(
        "attempt", parent=asked, began=10.0, ended=12.5, links=[PARENT], error="no"
    )
    tracing.record("publish", parent=attempt, began=12.0, ended=12.5)
    told = {one.name: one for one in finished(spans)}
    assert {one.context.trace_id for one in told.values()} == {int("a" * 32, 16)}
    assert dict(told["request"].attributes) == {"a": 1, "b": 2}
    assert told["request"].parent.span_id == int("b" * 16, 16)
    assert told["submit"].parent.span_id == told["request"].context.span_id
    assert told["attempt"].parent.span_id == told["submit"].context.span_id
    assert told["publish"].parent.span_id == told["attempt"].context.span_id
    assert told["attempt"].end_time - told["attempt"].start_time == 2_500_000_000
    assert told["attempt"].status.description == "no"
    assert len(told["attempt"].links) == 1


def test_what_a_block_raises_marks_its_span(spans: Any) -> None:
    with pytest.raises(ValueError, match="broken"), tracing.span("work"):
        raise ValueError("broken")
    (told,) = finished(spans)
    assert not told.status.is_ok


@pytest.mark.parametrize("header", [None, "", "00-1-2-3", PARENT + "\n", PARENT.upper(), "x" * 55])
def test_a_malformed_parent_is_none(header: str | None) -> None:
    assert tracing.accepted(header) is None
    assert tracing.accepted(PARENT) == PARENT
    assert tracing.trace_of(PARENT) == "a" * 32


def test_the_standard_name_of_the_endpoint_is_read_and_ours_goes_before() -> None:
    standard = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}
    assert load_settings(standard).otlp_endpoint == "http://collector:4318"
    both = {**standard, "TOILE_OTLP_ENDPOINT": "http://other:4318"}
    assert load_settings(both).otlp_endpoint == "http://other:4318"
    assert load_settings({}).otlp_endpoint is None

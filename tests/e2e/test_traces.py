"""One trace from the HTTP request to the published design, over the real processes."""

import json
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.bench import backlog
from tests.bench.simulated import FILE, Pacing
from tests.fixtures.stack import running_stack, wait_for
from tests.fixtures.valkey import running_valkey

pytest.importorskip("opentelemetry.proto")
pytestmark = [pytest.mark.e2e, pytest.mark.slow]

TRACE = "c0ffee" + "0" * 25 + "1"
WANTED = {"request", "submit", "attempt", "claim", "batch", "publish"}


class Collector:
    """A tiny receiver of OTLP over HTTP."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, Any]] = []

    def take(self, body: bytes) -> None:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
            ExportTraceServiceRequest,
        )

        told = ExportTraceServiceRequest.FromString(body)
        for one in told.resource_spans:
            named = {a.key: a.value.string_value for a in one.resource.attributes}
            for scope in one.scope_spans:
                self.spans += [(named["service.name"], span) for span in scope.spans]

    def of(self, trace: str) -> list[tuple[str, Any]]:
        return [one for one in self.spans if one[1].trace_id.hex() == trace]


@pytest.fixture
def collector() -> Iterator[tuple[Collector, str]]:
    made = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                import gzip

                body = gzip.decompress(body)
            made.take(body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Stay quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        try:
            yield made, f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def test_one_trace_and_one_request_id_lead_from_the_request_to_the_design(
    tmp_path: Path, collector: tuple[Collector, str]
) -> None:
    receiver, endpoint = collector
    with (
        # A Redis of its own: other tests' workers would take its messages.
        running_valkey() as own_redis,
        running_stack(tmp_path, own_redis, otlp_endpoint=endpoint, log_format="json") as stack,
        backlog.opened(stack.settings) as ways,
    ):
        key = stack.new_key("shop")
        device = {FILE: Pacing().model_dump_json().encode()}
        release = backlog.new_release(
            ways, backlog.site_named(ways.records, "shop"), device,
            size=16, vocabulary={"category": ["dress", "coat"]},
        )  # fmt: skip
        stack.start("generate", app="tests.bench.simulated_worker")
        stack.wait_for_workers("generate", seconds=120)
        with stack.client(key) as client:
            asked = client.post(
                "/v1/design-jobs",
                json={"release": release, "count": 2},
                headers={"traceparent": f"00-{TRACE}-{'b' * 16}-01"},
            ).raise_for_status()
            job = wait_for(client, asked.json()["url"])
            assert job["state"] == "succeeded", job
            posted, until = {"request"}, time.monotonic() + 30
            while not posted >= WANTED:
                assert time.monotonic() < until, (posted, stack.log("generate"))
                time.sleep(0.2)
                posted = {span.name for _, span in receiver.of(TRACE)}
        request_id = asked.headers["X-Request-Id"]
        stack.stop()
        lines = [
            json.loads(line)
            for name in ("web", "generate")
            for line in (tmp_path / f"{name}.log").read_text().splitlines()
            if line.startswith("{")
        ]
        stray = re.sub(r"(?m)^\{.*\}$", "", (tmp_path / "web.log").read_text()).strip()
    found = receiver.of(TRACE)
    assert {name for name, span in found if span.name == "publish"} == {"toile-worker"}
    assert {name for name, span in found if span.name == "request"} == {"toile-web"}
    parents = {span.span_id: span for _, span in found}
    submit = next(span for _, span in found if span.name == "submit")
    attempt = next(span for _, span in found if span.name == "attempt")
    assert attempt.parent_span_id == submit.span_id
    assert parents[submit.parent_span_id].name == "request"
    linked = next(span for _, span in found if span.name == "batch").links
    assert len(linked) == 1
    batches = [span for _, span in receiver.spans if span.span_id == linked[0].span_id]
    assert [span.name for span in batches] == ["batch"]
    # The same id stands in the answer, the front's line and the worker's.
    told = [one for one in lines if one.get("request") == request_id]
    assert any(one["logger"] == "web.app" and one["trace"] == TRACE for one in told)
    made = [one for one in lines if request_id in one.get("requests", ())]
    assert made
    assert job["id"] in made[0]["jobs"]
    assert stray == ""

"""How requests are sent again; the server is a list of answers."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from shared.client import ApiError, UnreachableError
from shared.client.http import Http, Part, Request

Answer = httpx.Response | httpx.TransportError


class Network(httpx.MockTransport):
    """Gives one answer after the other and remembers what was sent; the last one stays."""

    def __init__(self, *answers: Answer) -> None:
        super().__init__(self._answer)
        self._answers = list(answers)
        self.sent: list[httpx.Request] = []
        self.bodies: list[bytes] = []

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        self.bodies.append(request.read())
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, httpx.TransportError):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.naps: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds


def http_over(network: Network, time: Time) -> Http:
    return Http(
        "http://toile.test", "key", transport=network, sleep=time.sleep, clock=lambda: time.now
    )


REFUSED = httpx.ConnectError("connection refused")
BROKEN = httpx.RemoteProtocolError("server disconnected")
FINE = httpx.Response(200, json={"fine": True})


def problem(status: int, **changes: object) -> httpx.Response:
    body = {
        "type": "/problems/not_found",
        "title": "There is no such thing",
        "status": status,
        "detail": "There is no job 'x'.",
        "instance": "/v1/jobs/x",
        "reason": "not_found",
        "retryable": False,
        "request_id": "r1",
        "details": {"id": "x"},
        "added_by_a_newer_server": 1,
        **changes,
    }
    return httpx.Response(status, json=body)


def test_the_key_goes_with_every_request() -> None:
    network = Network(FINE)
    http_over(network, Time()).send(Request("GET", "/v1/jobs"))
    assert network.sent[0].headers["Authorization"] == "Bearer key"


@pytest.mark.parametrize("fault", [BROKEN, httpx.ReadTimeout("slow"), httpx.ReadError("reset")])
def test_a_broken_connection_is_tried_again(fault: httpx.TransportError) -> None:
    network = Network(fault, fault, FINE)
    assert http_over(network, Time()).send(Request("GET", "/")).json() == {"fine": True}
    assert len(network.sent) == 3


@pytest.mark.parametrize("status", [429, 502, 503])
def test_an_answer_that_says_later_is_tried_again_when_it_says(status: int) -> None:
    network, time = Network(httpx.Response(status, headers={"Retry-After": "3"}), FINE), Time()
    http_over(network, time).send(Request("GET", "/"))
    assert time.naps == [3]


def test_pauses_double_where_the_server_does_not_say_how_long() -> None:
    network, time = Network(*[httpx.Response(503)] * 4, FINE), Time()
    http_over(network, time).send(Request("GET", "/"))
    assert time.naps == [0.25, 0.5, 1, 2]


def test_all_tries_of_a_post_carry_one_idempotency_key_and_the_next_post_another() -> None:
    network = Network(BROKEN, FINE)
    http = http_over(network, Time())
    http.send(Request("POST", "/v1/design-jobs", json={"count": 1}))
    http.send(Request("POST", "/v1/design-jobs", json={"count": 1}))
    keys = [request.headers["Idempotency-Key"] for request in network.sent]
    assert keys[0] == keys[1] != keys[2]
    assert network.bodies[0] == network.bodies[1]


def test_a_get_carries_none() -> None:
    network = Network(FINE)
    http_over(network, Time()).send(Request("GET", "/"))
    assert "Idempotency-Key" not in network.sent[0].headers


def test_a_file_is_sent_whole_in_every_try(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    archive.write_bytes(b"PK" + b"x" * 100_000)
    network = Network(BROKEN, FINE)
    part = Part("archive", archive, "a.zip")
    http_over(network, Time()).send(Request("POST", "/v1/x", file=part))
    assert all(archive.read_bytes() in body for body in network.bodies)
    assert len(network.bodies) == 2


def test_a_server_that_never_answered_is_given_up_soon_and_the_way_out_is_told() -> None:
    time = Time()
    with pytest.raises(UnreachableError, match=r"toile\.test.*refused.*Is it running\?.*toile up"):
        http_over(Network(REFUSED), time).send(Request("GET", "/"))
    assert time.now <= 2


def test_a_server_that_answered_before_is_waited_for_longer() -> None:
    network, time = Network(FINE, REFUSED), Time()
    http = http_over(network, time)
    http.send(Request("GET", "/"))
    with pytest.raises(UnreachableError):
        http.send(Request("GET", "/"))
    assert 30 < time.now <= 60


def test_a_problem_document_becomes_an_error_with_its_words() -> None:
    network = Network(problem(404))
    with pytest.raises(ApiError) as caught:
        http_over(network, Time()).send(Request("GET", "/v1/jobs/x"))
    error = caught.value
    assert (error.status, error.reason, error.message) == (404, "not_found", "There is no job 'x'.")
    assert error.details == {"id": "x"}
    assert error.request_id == "r1"
    assert len(network.sent) == 1


def test_a_server_that_stays_away_is_told_in_its_own_words() -> None:
    away = problem(503, detail="The database did not answer.", reason="database_unavailable")
    with pytest.raises(ApiError, match="The database did not answer"):
        http_over(Network(away), Time()).send(Request("GET", "/"))


def test_an_error_page_of_something_else_says_so() -> None:
    page = httpx.Response(404, text="<html>nginx</html>")
    with pytest.raises(ApiError, match="not in Toile's words") as caught:
        http_over(Network(page), Time()).send(Request("GET", "/"))
    assert caught.value.reason == "not_toile"


@pytest.mark.parametrize("status", [400, 401, 404, 409, 422, 500])
def test_what_would_fail_again_is_not_tried_again(status: int) -> None:
    network = Network(problem(status))
    with pytest.raises(ApiError):
        http_over(network, Time()).send(Request("POST", "/", json={}))
    assert len(network.sent) == 1


def test_a_body_that_breaks_off_is_read_again_whole() -> None:
    class Torn(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield b"half"
            message = "torn"
            raise httpx.ReadError(message)

    answers = [httpx.Response(200, stream=Torn()), httpx.Response(200, content=b"whole")]
    network = httpx.MockTransport(lambda _request: answers.pop(0))
    http = Http("http://toile.test", None, transport=network, sleep=lambda _seconds: None)
    assert http.send(Request("GET", "/")).content == b"whole"

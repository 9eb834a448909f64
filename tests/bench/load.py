"""Callers over HTTP, in a process of their own: `python -m tests.bench.load ask.json`.

Plain `http.client` in threads: callers share the machine's cores with what they measure, and a
richer client would take as much of them as the front does.
"""

import http.client
import json
import random
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

Ask = Callable[[http.client.HTTPConnection, int], None]

_FINAL = frozenset({"succeeded", "failed", "cancelled"})


def main() -> None:
    """Do what a JSON file asks, and print what was measured as JSON."""
    asked = json.loads(Path(sys.argv[1]).read_bytes())
    found = (open_loop if asked.get("rate") else closed_loop)(asked)
    sys.stdout.write(json.dumps(found) + "\n")


def closed_loop(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Let each client ask again as soon as it is answered, until the time is over."""
    ask, until = _way(asked), time.monotonic() + asked["seconds"]
    tally = _Tally()

    def client(_number: int) -> None:
        connection = _connected(asked)
        while (began := time.monotonic()) < until:
            ask(connection, random.randrange(2**31))
            tally.note(began, asked.get("count", 1))
        connection.close()

    _together(client, asked["clients"])
    return tally.told()


def open_loop(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Ask at random times, `rate` a second on average, whether or not answers came.

    A caller who finds no free client waits, and that counts: time runs from when they wanted to
    ask.
    """
    ask, tally, lock = _way(asked), _Tally(), threading.Lock()
    began = time.monotonic()
    arrivals = iter(_arrivals(asked["rate"], asked["seconds"]))

    def client(_number: int) -> None:
        connection = _connected(asked)
        while True:
            with lock:
                due = next(arrivals, None)
            if due is None:
                break
            time.sleep(max(0.0, began + due - time.monotonic()))
            ask(connection, random.randrange(2**31))
            tally.note(began + due, asked.get("count", 1))
        connection.close()

    _together(client, asked["clients"])
    return tally.told()


class _Tally:
    """Latencies of what was answered, from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds: list[float] = []
        self._ends: list[float] = []
        self._images = 0
        self._began = time.monotonic()

    def note(self, wanted: float, images: int) -> None:
        """Count an answer to what was wanted at a time."""
        now = time.monotonic()
        with self._lock:
            self._seconds.append(now - wanted)
            self._ends.append(now)
            self._images += images

    def told(self) -> dict[str, Any]:
        """Return rates and percentiles."""
        seconds = max(self._ends) - self._began
        shares = np.percentile(self._seconds, [50, 95, 99]) * 1000
        return {
            "requests": len(self._seconds),
            "requests_per_second": len(self._seconds) / seconds,
            "images_per_second": self._images / seconds,
            **dict(zip(("p50_ms", "p95_ms", "p99_ms"), map(float, shares), strict=True)),
        }


def _together(client: Callable[[int], None], clients: int) -> None:
    """Run clients in threads; what one raises is raised, for half a measurement is none."""
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(client, range(clients)))


def _arrivals(rate: float, seconds: float) -> list[float]:
    gaps = np.random.default_rng(1).exponential(1 / rate, size=max(1, int(2 * rate * seconds)))
    first, *others = np.cumsum(gaps).tolist()
    return [min(first, seconds), *(value for value in others if value < seconds)]


def _way(asked: Mapping[str, Any]) -> Ask:
    return _WAYS[asked["way"]](asked)


def _designs(asked: Mapping[str, Any]) -> Ask:
    """Submit a job, and wait for its end as the documentation says."""

    def ask(connection: http.client.HTTPConnection, seed: int) -> None:
        body = {"release": asked["release"], "count": asked["count"], "seed": seed, "fresh": True}
        job = _json(connection, "POST", "/v1/design-jobs", body, asked)
        while job["state"] not in _FINAL:
            job = _json(connection, "GET", f"{job['url']}?wait=30", None, asked)
            if job["state"] not in _FINAL:
                time.sleep(0.05)  # the front was too busy to let anybody wait
        if job["state"] != "succeeded":
            raise AssertionError(job)

    return ask


def _submit(asked: Mapping[str, Any]) -> Ask:
    """Submit a job, and let it be."""

    def ask(connection: http.client.HTTPConnection, seed: int) -> None:
        body = {"release": asked["release"], "count": asked["count"], "seed": seed, "fresh": True}
        _json(connection, "POST", "/v1/design-jobs", body, asked)

    return ask


def _poll(asked: Mapping[str, Any]) -> Ask:
    headers = {"Authorization": f"Bearer {asked['key']}"}

    def ask(connection: http.client.HTTPConnection, _seed: int) -> None:
        connection.request("GET", asked["path"], headers=headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != http.client.OK:
            raise AssertionError(answer.status)

    return ask


def _predict(asked: Mapping[str, Any]) -> Ask:
    """Ask a server that answers with the picture itself."""

    def ask(connection: http.client.HTTPConnection, seed: int) -> None:
        body = {name: [seed] if several else seed for name, several in asked["body"].items()}
        _json(connection, "POST", "/predict", body, asked)

    return ask


def _tasks(asked: Mapping[str, Any]) -> Ask:
    """Send a Celery task and look for its result; without a front, which is the peer's gain."""
    from tests.bench.peers import per_request

    app = per_request.connected(asked["redis"])

    def ask(_connection: http.client.HTTPConnection, seed: int) -> None:
        sent = app.send_task(per_request.TASK, args=[seed, asked["count"]])
        key = app.backend.get_key_for_task(sent.id)
        # Not `sent.get()`: its subscription is not made for many threads.
        while app.backend.get(key) is None:
            time.sleep(0.005)

    return ask


_WAYS: Mapping[str, Callable[[Mapping[str, Any]], Ask]] = {
    "designs": _designs, "poll": _poll, "submit": _submit, "predict": _predict,
    "tasks": _tasks,
}  # fmt: skip


def _json(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: Mapping[str, Any] | None,
    asked: Mapping[str, Any],
) -> Any:
    headers = {"Content-Type": "application/json"}
    if "key" in asked:
        headers["Authorization"] = f"Bearer {asked['key']}"
    sent = None if body is None else json.dumps(body)
    connection.request(method, path, body=sent, headers=headers)
    answer = connection.getresponse()
    content = answer.read()
    if answer.status >= http.client.BAD_REQUEST:
        raise AssertionError(content[:500])
    return json.loads(content)


def _connected(asked: Mapping[str, Any]) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", asked["port"], timeout=120)


if __name__ == "__main__":
    main()

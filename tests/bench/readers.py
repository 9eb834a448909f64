"""Readers of event streams, in a process of their own: `python -m tests.bench.readers ask.json`.

One thread and a selector for all, so that reading takes as little as may be of the cores that the
front is measured on. The news that is read says when it was told.
"""

import json
import re
import selectors
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

_TOLD = re.compile(rb"at ([0-9]+\.[0-9]+)")
_END = b"event: end"
_OVER = threading.Event()


def main() -> None:
    """Open the streams that a JSON file names, read them, and print what was measured."""
    asked = json.loads(Path(sys.argv[1]).read_bytes())
    signal.signal(signal.SIGINT, lambda *_: _OVER.set())
    sys.stdout.write(json.dumps(read(asked)) + "\n")


def read(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Read until the time is over or all have ended.

    Args:
        asked: `port`, `key`, `jobs` (one stream each), `seconds`, and `ready`, a file that is
            written once all are open.
    """
    began = time.monotonic()
    selector = selectors.DefaultSelector()
    for job in asked["jobs"]:
        selector.register(_opened(asked, job), selectors.EVENT_READ, bytearray())
    opened = time.monotonic() - began
    Path(asked["ready"]).write_text("ready", encoding="ascii")
    late: list[float] = []
    ended, until = 0, time.monotonic() + asked["seconds"]
    while ended < len(asked["jobs"]) and not _OVER.is_set() and time.monotonic() < until:
        for key, _ in selector.select(0.2):
            connection: Any = key.fileobj
            data = connection.recv(65_536)
            now = time.time()
            late += [now - float(told) for told in _TOLD.findall(data)]
            if not data or _END in data:
                ended += 1
                selector.unregister(connection)
                connection.close()
    return {"streams": len(asked["jobs"]), "opening_seconds": opened, "ended": ended,
            "events": len(late), **_shares(late)}  # fmt: skip


def _opened(asked: Mapping[str, Any], job: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", asked["port"]), timeout=30)
    head = (
        f"GET /v1/jobs/{job}/events HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {asked['key']}\r\n\r\n"
    )
    connection.sendall(head.encode())
    first = connection.recv(65_536)
    if b" 200 " not in first.split(b"\r\n", 1)[0]:
        raise AssertionError(first[:500])
    return connection


def _shares(late: Sequence[float]) -> dict[str, float]:
    if not late:
        return {}
    p50, p99 = np.percentile(late, [50, 99]) * 1000
    return {"late_p50_ms": float(p50), "late_p99_ms": float(p99)}


if __name__ == "__main__":
    main()

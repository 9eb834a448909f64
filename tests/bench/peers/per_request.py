"""The peer of batching: Celery as its manual shows it, one task a request, results in Redis.

Run by `celery -A tests.bench.peers.per_request worker`. The file that PEER_ASK names says where
Redis is, where pictures go and what makes them. Each task makes the pictures of one request in one
pass, encodes them, writes them to files and returns when it began and ended. What a picture costs
in Toile beyond that (rows, leases, hashes, marks, a flush to the disk) is not in it.
"""

import json
import os
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from celery import Celery
from numpy.typing import NDArray

from tests.bench.peers import models
from tests.bench.peers.pictures import encoded

Paint = Callable[[list[int]], NDArray[np.uint8]]

ASK = "PEER_ASK"
TASK = "make"


def connected(redis_url: str) -> Celery:
    """Return the application over a Redis, for the side that sends and the side that works."""
    url = redis_url.replace("unix://", "redis+socket://", 1)
    made = Celery("peer", broker=url, set_as_current=False)
    made.conf.update(result_backend=url)
    made.conf.update(worker_prefetch_multiplier=1, task_acks_late=True, result_expires=600)
    return made


def _asked() -> dict[str, Any]:
    place = os.environ.get(ASK)  # noqa: TID251 - a program of its own, which has no settings
    return {} if place is None else dict(json.loads(Path(place).read_bytes()))


@cache
def _paint() -> Paint:
    """Load in the child: TensorFlow does not survive a fork."""
    return models.painter(_asked()["model"])


def make(seed: int, count: int) -> tuple[float, float]:
    """Make a request's pictures; returns when that began and ended, Unix time."""
    began = time.time()
    folder = Path(_asked()["folder"])
    for place, pixels in enumerate(_paint()([seed + place for place in range(count)])):
        (folder / f"{seed}-{place}.png").write_bytes(encoded(pixels))
    return began, time.time()


app = connected(_asked().get("redis", "unix:///nowhere"))
app.task(name=TASK)(make)

"""BentoML as its manual shows it, with adaptive batching; `bentoml serve` runs it.

The file that PEER_ASK names says which model. It keeps nothing: a bound, as LitServe is.
"""

import base64
import json
import os
from pathlib import Path

import bentoml

from tests.bench.peers import models
from tests.bench.peers.pictures import encoded


@bentoml.service(traffic={"timeout": 120})
class Peer:
    """Makes pictures of seeds, as many together as BentoML thinks best."""

    def __init__(self) -> None:
        asked = json.loads(Path(os.environ["PEER_ASK"]).read_bytes())  # noqa: TID251 - a program of its own
        self._paint = models.painter(asked["model"])

    @bentoml.api(batchable=True, max_batch_size=64, max_latency_ms=60_000)
    def predict(self, seeds: list[int]) -> list[str]:
        """Answer each with PNG."""
        return [base64.b64encode(encoded(one)).decode() for one in self._paint(seeds)]

"""LitServe as its manual shows it, with batching: `python -m tests.bench.peers.litserve_app`.

Takes the file that names the model, and a port. It answers with the picture, keeps nothing, and
loses what was on its way when it dies: a bound for those who keep work, not their equal.
"""

import base64
import json
import sys
from pathlib import Path
from typing import Any

import litserve

from tests.bench.peers import models
from tests.bench.peers.pictures import encoded

_BATCH = 64


class Peer(litserve.LitAPI):
    """Makes pictures of seeds, as many together as have come within five milliseconds."""

    def setup(self, device: str) -> None:  # noqa: ARG002 - the base's
        """Load the network."""
        self._paint = models.painter(json.loads(Path(sys.argv[1]).read_bytes())["model"])

    def decode_request(self, request: dict[str, int]) -> int:
        """Take the seed."""
        return request["seed"]

    def predict(self, seeds: list[int]) -> list[Any]:
        """Make the pictures of a batch."""
        return list(self._paint(seeds))

    def encode_response(self, output: Any) -> dict[str, str]:
        """Answer with PNG."""
        return {"png": base64.b64encode(encoded(output)).decode()}


if __name__ == "__main__":
    litserve.LitServer(
        Peer(max_batch_size=_BATCH, batch_timeout=0.005), accelerator="cpu", timeout=120
    ).run(port=int(sys.argv[2]), log_level="warning", generate_client_file=False)

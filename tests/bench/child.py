"""A training in a process of its own that says what it did when, for bench_start to read.

Prints one JSON object a line: {"event": ..., "at": seconds}. On Linux the monotonic clock is one
for all processes, so that a parent may subtract its own readings.
"""

import json
import resource
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

BEGUN = time.monotonic()


def say(event: str, **more: Any) -> None:
    """Print at once: the reader may kill this process on the strength of it."""
    sys.stdout.write(json.dumps({"event": event, "at": time.monotonic(), **more}) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Train as told in a JSON file; `bench_start` says what stands in it."""
    told = json.loads(Path(sys.argv[1]).read_bytes())
    from tests.bench import catalogs, engine
    from worker.gan.judging import Judging
    from worker.gan.recipe import Recipe

    say("imported", began=BEGUN)
    catalog = catalogs.read(told["data"], root=Path(told["root"]))
    say("read", garments=catalog.train.n)
    recipe = Recipe(
        preset=told["preset"],
        seed=told["seed"],
        checkpoint_seconds=told["checkpoint_seconds"],
        **told["budget"],
    )
    steps = _Steps(Path(told["folder"]) / "checkpoints")
    judge = Judging() if told["judged"] else None
    folder = Path(told["folder"])
    release = engine.run(recipe, catalog.train, folder, should_stop=steps, judge=judge)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    say("ended", steps=release.card["steps"], peak_mib=peak)


class _Steps:
    """Is asked before each step; tells of the first one, and of each new checkpoint."""

    def __init__(self, checkpoints: Path) -> None:
        self._checkpoints = checkpoints
        self._asked = 0
        self._newest = self._look()

    def __call__(self) -> bool:
        self._asked += 1
        if self._asked == 2:
            say("step")
        newest = self._look()
        if newest != self._newest:
            self._newest = newest
            say("checkpoint", name=newest, steps=self._asked - 1)
        return False

    def _look(self) -> str:
        found = self._checkpoints.glob("[0-9]*") if self._checkpoints.is_dir() else ()
        return max((folder.name for folder in found), default="")


def ask(path: Path, **told: Any) -> Mapping[str, Any]:
    """Write what `main` reads, and return it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(told), encoding="utf-8")
    return told


if __name__ == "__main__":
    main()

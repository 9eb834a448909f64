"""Each side, loaded in a fresh interpreter, stays free of the other's libraries."""

import json
import subprocess
import sys

import pytest

FORBIDDEN = {
    "web.app": ("tensorflow", "keras", "worker", "matplotlib"),
    "shared.cli": ("tensorflow", "keras", "flask", "worker", "web", "matplotlib"),
    "worker.celery": ("flask", "web", "tensorflow", "keras"),
    "worker.gan": ("tensorflow", "keras", "celery", "redis", "sqlalchemy"),
}

# A Redis is named, never asked.
ELSEWHERE = {"PATH": "", "TOILE_REDIS_URL": "redis://127.0.0.1:1/0"}


@pytest.mark.parametrize("entry", FORBIDDEN)
def test_loading_one_side_loads_nothing_of_the_other(entry: str) -> None:
    program = f"import {entry}, json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=ELSEWHERE
    )
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert loaded.isdisjoint(FORBIDDEN[entry])


def test_the_tasks_load_without_tensorflow_so_that_beat_and_parents_stay_small() -> None:
    program = (
        "import worker.celery, sys; worker.celery.app.loader.import_default_modules();"
        "print([name for name in worker.celery.app.tasks if name.startswith('toile.')]);"
        "sys.exit('tensorflow' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env=ELSEWHERE,
    )
    assert done.returncode == 0, done.stderr
    for name in ("train", "generate", "ingest", "report", "upkeep", "schedule_reports"):
        assert f"toile.{name}" in done.stdout

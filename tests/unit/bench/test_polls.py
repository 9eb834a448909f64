"""The benchmark of polls, cut short."""

import json
from pathlib import Path

from click.testing import CliRunner

from tests.bench import bench_polls


def test_polls_are_measured_in_each_state(tmp_path: Path) -> None:
    arguments = ["--out", str(tmp_path), "--rounds", "1", "--seconds", "0.3"]
    done = CliRunner().invoke(bench_polls.main, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    (found,) = json.loads((tmp_path / "polls.json").read_bytes())["rounds"]
    for state in bench_polls.STATES:
        assert found[state]["here"]["cpu_ms_a_poll"] > 0
        assert found[state]["here"]["requests_per_second"] > 0

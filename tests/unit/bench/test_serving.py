"""The serving benchmarks run to their end on next to nothing; the numbers mean nothing there."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tests.bench import bench_device, bench_serving, load, numbers, processes
from tests.bench.simulated import Pacing, Simulated
from tests.fixtures.api import fake_api


def test_a_simulated_device_takes_its_time_and_gives_each_seed_its_picture() -> None:
    pacing = Pacing(fixed_ms=1, each_ms=0.5)
    assert pacing.seconds(64) == pytest.approx(0.033)
    assert pacing.bound(64) == pytest.approx(64 / 0.033)
    device = Simulated(Pacing(fixed_ms=0, each_ms=0))
    pictures = device.generate([1, 2, 3], [{}] * 3, temper=[1.0] * 3, blends=[()] * 3)
    alone = device.generate([3], [{}], temper=[1.0], blends=[()])
    assert pictures.shape == (3, 16, 16, 3)
    np.testing.assert_array_equal(pictures[2], alone[0])
    assert not np.array_equal(pictures[0], pictures[1])


def test_numbers_of_rounds_are_summarised_wherever_they_stand() -> None:
    rounds = [{"a": {"b": float(n), "only": 1.0}, "load": [1.0]} for n in (1, 2, 6)]
    del rounds[1]["a"]["only"]  # type: ignore[attr-defined]
    told = numbers.summaries(rounds)
    assert told == {"a": {"b": {"median": 2.0, "low": 1.0, "high": 6.0, "n": 3}}}


def test_memory_counts_from_the_end_of_warming_up() -> None:
    told = processes.growth({"worker 0": [10.0, 50.0, 51.0, 52.0], "none": []})
    assert told == {"worker 0": {"quarter": 50.0, "end": 52.0, "most": 52.0}}


def test_callers_ask_until_the_time_is_over_or_as_often_as_is_wanted() -> None:
    with fake_api() as api:
        api["POST /predict"] = (200, {})
        port = int(api.url.rpartition(":")[2])
        asked = {"way": "predict", "port": port, "body": {"seed": False}, "clients": 2,
                 "seconds": 0.2}  # fmt: skip
        told = load.closed_loop(asked)
        assert told["requests"] == len(api.sent)
        assert told["p50_ms"] <= told["p99_ms"]
        before = len(api.sent)
        told = load.open_loop({**asked, "rate": 50.0})
    assert told["requests"] == len(api.sent) - before
    assert 1 <= told["requests"] <= 30


def test_a_failed_answer_fails_the_measurement() -> None:
    with fake_api() as api:
        port = int(api.url.rpartition(":")[2])
        asked = {"way": "predict", "port": port, "body": {"seed": False}, "clients": 1,
                 "seconds": 0.1}  # fmt: skip
        with pytest.raises(AssertionError, match="not_found"):
            load.closed_loop(asked)


def test_a_flood_is_measured_over_a_simulated_device(tmp_path: Path) -> None:
    arguments = ["--out", str(tmp_path), "--parts", "flood", "--rounds", "1", "--flood", "300",
                 "--samples", "3", "--fixed", "2", "--each", "0.01"]  # fmt: skip
    done = CliRunner().invoke(bench_device.main, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    told = json.loads((tmp_path / "device-flood.json").read_bytes())
    assert told["summary"]["idle"]["p50"]["median"] > 2
    assert (tmp_path / "device-flood.png").stat().st_size


@pytest.mark.slow
def test_a_real_network_is_served_beside_its_peer(tmp_path: Path) -> None:
    arguments = ["--out", str(tmp_path), "--sizes", "32", "--clients", "2", "--rounds", "1",
                 "--seconds", "0.3"]  # fmt: skip
    done = CliRunner().invoke(bench_serving.main, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "litserve is left out" in done.output
    told = json.loads((tmp_path / "serving-32.json").read_bytes())
    assert told["summary"]["ratios"]["over_celery"]["median"] > 0

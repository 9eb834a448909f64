"""What is said of durability and of memory, and that the comparison really differs in it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.bench import bench_durability, bench_memory, processes


def test_growth_is_counted_from_the_end_of_warming_up() -> None:
    warming = [float(value) for value in range(25)]
    assert bench_memory.growth([*warming, *[100.0] * 75])["grew_by"] > 1
    steady = bench_memory.growth([10.0] * 10 + [100.0] * 90)
    assert steady["grew_by"] == 0
    assert steady["is_within"]
    leaking = bench_memory.growth([100.0 + place for place in range(100)])
    assert leaking["grew_by"] == pytest.approx(194 / 118.5 - 1, abs=0.02)
    assert not leaking["is_within"]


def test_memory_of_a_process_is_read_and_of_none_is_nothing() -> None:
    own = processes.proportional_mib(int(Path("/proc/self").resolve().name))
    assert 1 < own < 100_000
    assert processes.proportional_mib(2**22 + 1) == 0.0


def test_the_overhead_is_the_share_of_the_speed_without() -> None:
    def told(speed: float) -> dict[str, dict[str, float]]:
        return {"jobs_of_1": {"images_per_second": speed, "processor_ms_a_batch": 1.0}}

    rounds = [{"durable": told(80.0), "undurable": told(100.0)},
              {"durable": told(90.0), "undurable": told(100.0)}]  # fmt: skip
    found = bench_durability.overhead(rounds, 1)
    assert found["of_medians"] == pytest.approx(0.15)
    assert found["by_round"]["low"] == pytest.approx(0.1)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_worker_runs_with_durability_and_without(tmp_path: Path) -> None:
    arguments = ["--out", str(tmp_path), "--rounds", "1", "--seconds", "0.1", "--counts", "8"]
    done = CliRunner().invoke(bench_durability.main, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    told = json.loads((tmp_path / "durability.json").read_bytes())
    assert told["overhead"]["jobs_of_8"]["images_per_second"]["undurable"]["median"] > 0

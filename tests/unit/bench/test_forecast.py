"""The benchmark of forecasts runs to its end on a small world, and its truth is the truth."""

import json
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from tests.bench import bench_forecast
from tests.bench.trend_worlds import KINDS, make_world


def test_the_benchmark_runs_and_says_what_it_could_not_measure(tmp_path: Path) -> None:
    arguments = ["--out", str(tmp_path), "--root", str(tmp_path), "--series", "40"]
    parts = ["--parts", "real", "--parts", "flat", "--parts", "speed"]
    done = CliRunner().invoke(bench_forecast.main, [*arguments, *parts], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    real = json.loads((tmp_path / "forecast-real.json").read_bytes())
    assert "are not in" in real["skipped"]
    flat = json.loads((tmp_path / "forecast-flat.json").read_bytes())
    assert flat["five years"]["series"] == 40
    assert 0 <= flat["noisy"]["forecast rise or fall"] <= 0.2
    speed = json.loads((tmp_path / "forecast-speed.json").read_bytes())
    assert speed["series"] == 40
    assert speed["forecast, intervals, backtest"]["processor seconds"] > 0


def test_rises_and_flashes_of_a_made_up_world_are_told_apart() -> None:
    told = bench_forecast.world(groups=4, years=3)
    assert told["series"] == 4 * len(KINDS) * len(bench_forecast.WORLD_SEEDS)
    assert told["precision and recall"]["rising"]["precision"] >= 0.9
    assert told["precision and recall"]["rising"]["recall"] >= 0.8
    assert told["precision and recall"]["flash"]["recall"] >= 0.9
    assert told["flash called rising"] <= 0.05


def test_a_made_up_world_moves_as_its_truth_says() -> None:
    made = make_world(KINDS, groups=10, years=3, garments=5000)
    shares = made.panel.effective / made.panel.totals
    growth = np.log(shares[:, -52:].mean(1) / shares[:, :52].mean(1))
    truth = np.array(made.truth)
    assert np.all(growth[truth == "rising"] > 0.3)
    assert np.all(growth[truth == "declining"] < -0.3)
    shift = truth == "shift"
    assert np.all((growth[shift] > 0) == made.upward[shift])
    first = made.panel.groups == 0
    assert np.array_equal(made.panel.effective[first].sum(0), made.panel.totals[0])

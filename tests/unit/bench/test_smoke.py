"""Each benchmark runs to its end on drawn bars; what it measures there means nothing."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click import Command
from click.testing import CliRunner
from PIL import Image

from shared.errors import InvalidInputError
from tests.bench import (
    bench_collapse,
    bench_long,
    bench_quality,
    bench_start,
    bench_training_speed,
    catalogs,
    engine,
    faults,
)
from worker.gan.recipe import Recipe


def ran(command: Command, out: Path, *options: object) -> str:
    """Run a benchmark as its command line does."""
    arguments = ["--out", str(out), *map(str, options)]
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_bytes())
    return content


def test_training_speed_is_measured_once_and_then_kept(tmp_path: Path) -> None:
    options = ("--data", "drawn", "--presets", "residual", "--rounds", 1,
               "--seconds", 0.1, "--minutes", 0.01)  # fmt: skip
    told = ran(bench_training_speed.main, tmp_path, *options)
    assert "drawn residual:" in told
    path = tmp_path / "training-speed" / "drawn-residual.json"
    first = path.read_bytes()
    work = json.loads(first)["multiply_adds_an_image"]
    assert work["step"] == pytest.approx(work["step_by_formula"], rel=0.1)
    ran(bench_training_speed.main, tmp_path, *options)
    assert path.read_bytes() == first


def test_quality_is_shown_side_by_side_and_a_long_run_draws_its_curve(tmp_path: Path) -> None:
    options = ("--data", "drawn", "--minutes", 0.02, "--unmeasured")
    told = ran(bench_quality.main, tmp_path, *options, "--presets", "residual", "--seeds", 1)
    assert "| images_per_second |" in told
    ran(bench_long.main, tmp_path, *options)
    (sheets,) = tmp_path.glob("quality-*-sheets.png")
    (curve,) = tmp_path.glob("long-*.png")
    assert sheets.read_bytes()[1:4] == curve.read_bytes()[1:4] == b"PNG"
    (run,) = (tmp_path / "runs").iterdir()  # the long run was of the same budget: trained once
    assert (run / "run.json").exists()


def test_a_start_is_timed_and_a_kill_survived(tmp_path: Path) -> None:
    ran(bench_start.main, tmp_path, "--data", "drawn", "--repeats", 1, "--parts", "restart",
        "--checkpoint-seconds", 0.05)  # fmt: skip
    told = read(tmp_path / "start-drawn-residual.json")
    assert 0 < told["cold"]["imports"]["median"] < told["cold"]["first_step"]["median"]
    assert told["resume_after_kill"]["median"] > 0


@pytest.mark.slow
def test_a_killed_training_gives_the_same_weights_and_tells_its_memory(tmp_path: Path) -> None:
    ran(bench_start.main, tmp_path, "--data", "drawn", "--parts", "exact", "--parts", "memory",
        "--steps", 40, "--minutes", 0.01, "--checkpoint-seconds", 0.05)  # fmt: skip
    told = read(tmp_path / "start-drawn-residual.json")
    assert told["bit_exact"]["equal"]
    assert told["memory"]["peak_mib"] > 100


def test_faults_strike_during_a_training(tmp_path: Path) -> None:
    chosen = ("--faults", "not-numbers", "--faults", "frozen")
    ran(bench_collapse.main, tmp_path, "--data", "drawn", *chosen, "--seeds", 1,
        "--images", 384, "--unmeasured")  # fmt: skip
    told = read(tmp_path / "collapse-drawn-residual-384.json")
    assert told["injections"] == 2
    went_back = {run["fault"]: run["went_back"] for run in told["runs"]}
    assert went_back["not-numbers"] == 1
    assert went_back["undisturbed"] == 0


def test_faults_change_what_is_asked_or_given() -> None:
    whole, asked = catalogs.drawn().train, Recipe(images=96, preset="residual")
    usual = engine.settled(asked, whole)
    by_name = {fault.name: fault for fault in faults.FAULTS}
    assert by_name["rate"].recipe(asked, whole).hyper == replace(
        usual, learning_rate=50 * usual.learning_rate
    )
    assert by_name["no-penalty"].recipe(asked, whole).hyper == replace(usual, gamma=0.0)
    assert by_name["few"].dataset(whole).n == faults.FEW


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="--root"):
        catalogs.read("clothing", root=tmp_path)


def test_photos_are_read_by_their_labels_and_divided(tmp_path: Path) -> None:
    folder = tmp_path / "clothing"
    (folder / "images").mkdir(parents=True)
    names = [f"images/{number}.png" for number in range(240)]
    for number, name in enumerate(names):
        tall = Image.new("RGB", (8, 16), (number, 20, 20))
        tall.save(folder / name)
    rows = [f"{name},{'coat' if k < 230 else 'cap'}" for k, name in enumerate(names)]
    (folder / "labels.csv").write_text("\n".join(["image,category", *rows]), encoding="utf-8")
    catalog = catalogs.read("clothing", root=tmp_path)
    assert (catalog.train.n, catalog.test.n) == (40, 200)
    assert catalog.train.images.shape[1:] == (64, 64, 3)
    assert catalog.train.vocabulary == catalog.test.vocabulary == {"category": ("coat",)}
    assert bool((catalog.test.images[:, 32, 0] == 255).all()), "the square is filled with white"
    assert set(np.unique(catalog.test.labels["category"])) == {-1, 0}

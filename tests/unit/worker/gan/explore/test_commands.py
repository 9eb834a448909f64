import json
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from worker.gan.explore.commands import commands
from worker.gan.progress import Progress
from worker.gan.release import TrainedRelease

main = click.Group(commands={command.name or "": command for command in commands})


@pytest.fixture(scope="module")
def release(
    trained: tuple[TrainedRelease, list[Progress], Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("release")
    for name, content in trained[0].files().items():
        (folder / name).write_bytes(content)
    return folder


def run(*words: object) -> str:
    told = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)
    assert told.exit_code == 0, told.output
    return told.output


def side(file: Path) -> tuple[int, int]:
    with Image.open(file) as picture:
        return picture.size


def test_invert_writes_a_pair_and_its_description_for_each_picture(
    release: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "bar.png"
    Image.fromarray(np.full((40, 20, 3), 90, np.uint8)).save(picture)
    told = run(
        "invert", "--release", release, "--image", picture, "--image", picture,
        "--out", tmp_path / "out", "--condition", "shape=flat", "--neighbour-distance", 10,
        "--encoder-steps", 3, "--steps", 3, "--scale", 2,
    )  # fmt: skip
    assert "bar.png: painted as shape flat, shade" in told
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["00-bar.json", "00-bar.png", "01-bar.json", "01-bar.png"]
    assert side(tmp_path / "out/00-bar.png") == (2 * 2 * 16, 2 * 16)
    found = json.loads((tmp_path / "out/00-bar.json").read_text())
    assert found["pixels"] == [20, 40]
    assert found["fitted_to"] == [16, 16]
    assert found["condition"]["shape"] == "flat"
    assert len(found["latent"]) == 8
    shares = found["error_grey_levels"] / 10
    assert found["share_of_neighbour_distance"] == pytest.approx(shares, abs=1e-3)


def test_directions_writes_a_strip(release: Path, tmp_path: Path) -> None:
    told = run(
        "directions", "--release", release, "--number", 1, "--out", tmp_path / "strip.png",
        "--condition", "shape=flat", "--rows", 2, "--steps", 5, "--scale", 1,
    )  # fmt: skip
    assert "Direction 1 of 8" in told
    assert side(tmp_path / "strip.png") == (5 * 16, 2 * 16)


def test_export_writes_a_model_and_says_how_near_it_is(release: Path, tmp_path: Path) -> None:
    told = run("export", "--release", release, "--format", "tflite", "--out", tmp_path / "out")
    assert "of Keras; told in" in told
    assert (tmp_path / "out/generator.tflite").stat().st_size > 1000


def test_a_condition_without_an_equals_sign_is_refused(release: Path, tmp_path: Path) -> None:
    words = ["directions", "--release", str(release), "--out", str(tmp_path / "s.png"),
             "--condition", "flat"]  # fmt: skip
    told = CliRunner().invoke(main, words)
    assert told.exit_code == 2
    assert "'flat' is not attribute=value" in told.output


def test_help_is_shown_without_loading_tensorflow() -> None:
    program = "import sys, worker.gan.explore.commands; sys.exit('tensorflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)

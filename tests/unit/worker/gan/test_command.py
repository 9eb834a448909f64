"""`python -m worker.gan`, and what importing the package costs."""

import subprocess
import sys
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from tests.unit.worker.gan.conftest import MakeGarments
from worker.gan.__main__ import main


def test_train_writes_a_release_and_goes_on_where_it_stopped(
    garments: MakeGarments, tmp_path: Path
) -> None:
    data, out = tmp_path / "data.npz", tmp_path / "out"
    catalog = garments()
    np.savez(data, images=catalog.images, shape=catalog.labels["shape"])
    command = ["train", "--data", str(data), "--out", str(out), "--images"]
    first = CliRunner().invoke(main, [*command, "64"], catch_exceptions=False)
    assert first.exit_code == 0
    assert "48 garments, 16 px, 3 channel(s), labels: shape" in first.output
    assert {"card.json", "generator.json", "generator.npz", "grid.png"} <= {
        path.name for path in out.iterdir()
    }
    assert list((out / "grids").glob("*.png"))
    more = CliRunner().invoke(main, [*command, "128"], catch_exceptions=False)
    assert "100%  step 4 " in more.output


def test_a_condition_must_be_attribute_equals_value() -> None:
    from worker.gan.explore.commands import wishes_of

    assert wishes_of(("colour=red=ish",)) == {"colour": "red=ish"}


def test_importing_the_package_does_not_load_tensorflow() -> None:
    code = "import sys, worker.gan; sys.exit('tensorflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)

"""The benchmark of derived labels, for seconds, on garments that mean nothing."""

import json
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from tests.bench.bench_labels import main


def test_patterns_styles_and_predictions_are_measured_and_kept(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    middles = rng.normal(size=(5, 128))
    truth = np.repeat(np.arange(5), 60)
    seen = middles[truth] + 0.7 * rng.normal(size=(300, 128))
    turned = seen @ np.linalg.qr(rng.normal(size=(128, 128)))[0]
    files = {"embeddings": seen, "other": turned, "labels": truth}
    asked = ["--out", str(tmp_path), "--drawn", "12", "--rounds", "1"]
    for name, array in files.items():
        np.save(tmp_path / f"{name}.npy", array)
        asked += [f"--{name}", str(tmp_path / f"{name}.npy")]
    ran = CliRunner().invoke(main, asked)
    assert ran.exit_code == 0, ran.output
    told = json.loads((tmp_path / "labels.json").read_bytes())
    assert told["patterns"]["garments"] == 12
    assert {name: rounds[0]["kept"] > 0.9 for name, rounds in told["styles"].items()} == {
        "same": True, "other": True,
    }  # fmt: skip
    assert told["prediction"]["filled_right"] > 0.9
    assert "12 told" in ran.output
    assert "machine" in told

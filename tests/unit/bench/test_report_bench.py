"""The benchmark of reports runs to its end on a small shop; its numbers there mean nothing."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.bench import bench_report


@pytest.mark.timeout(300)
def test_a_report_is_measured_from_rows_from_columns_and_a_day_later(tmp_path: Path) -> None:
    small = ["--rows", "9000", "--years", "2", "--versions", "2", "--brands", "6", "--no-draw"]
    done = CliRunner().invoke(bench_report.main, ["--out", str(tmp_path), *small])
    assert done.exit_code == 0, done.output
    runs = json.loads((tmp_path / "report.json").read_bytes())["runs"]
    assert set(runs) == {"rows", "columns", "day", "day again"}
    assert runs["rows"]["garments"] == runs["columns"]["garments"]
    assert runs["day again"]["garments"] == runs["columns"]["garments"] + 2 * (9000 // 728)
    assert runs["columns"]["series"] > 100
    assert "one day more" in done.output
    assert not (tmp_path / "home").exists()

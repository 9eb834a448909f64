from pathlib import Path

from click.testing import CliRunner

from tests.bench import bench_keys, results


def test_refusals_are_timed_and_nobody_is_let_in(tmp_path: Path) -> None:
    arguments = ["--out", str(tmp_path), "--turns", "100"]
    ran = CliRunner().invoke(bench_keys.main, arguments, catch_exceptions=False)
    assert ran.exit_code == 0
    found = results.read(tmp_path / "keys.json")
    assert found is not None
    for name in ("keys", "tokens"):
        assert found[name]["low_us"] <= found[name]["difference_us"] <= found[name]["high_us"]
        assert name in ran.output

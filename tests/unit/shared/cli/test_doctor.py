import json
from pathlib import Path

import pytest

from shared.cli import checks
from shared.settings import Settings
from shared.stack.redis import EmbeddedRedis
from tests.fixtures.toile import Toile


@pytest.fixture
def without_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading it takes seconds, and here it is not what is tested."""
    answer = """print('{"version": "2.21.0", "gpus": [], "cuda": false}')"""
    monkeypatch.setattr(checks, "_ASK_TENSORFLOW", answer)


def findings(toile: Toile) -> dict[str, dict[str, object]]:
    return {one["name"]: one for one in json.loads(toile("doctor", "--json").out)}


@pytest.mark.usefixtures("without_tensorflow")
def test_on_a_fresh_machine_each_missing_thing_comes_with_how_to_mend_it(
    toile: Toile, home: Path
) -> None:
    ran = toile("doctor")
    assert ran.code == 1
    found = findings(toile)
    missing = {name for name, one in found.items() if not one["ok"]}
    assert missing == {"database", "redis", "workers", "beat"}
    assert all(found[name]["mend"] for name in missing)
    assert "toile migrate" in str(found["database"]["mend"])
    assert not (home / "toile.sqlite3").exists()


@pytest.mark.usefixtures("without_tensorflow", "tables")
def test_what_is_there_is_found(toile: Toile, own: Settings) -> None:
    with EmbeddedRedis(own):
        found = findings(toile)
    assert {name for name, one in found.items() if not one["ok"]} == {"workers", "beat"}
    assert "nobody takes from train, generate, chores, upkeep" in str(found["workers"]["found"])


def test_a_setting_that_does_not_fit_ends_the_examination(
    toile: Toile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOILE_PORT", "many")
    found = findings(toile)
    assert set(found) == {"python", "settings"}
    assert "TOILE_PORT" in str(found["settings"]["found"])


@pytest.mark.usefixtures("tables")
def test_a_tensorflow_that_does_not_load_is_missing(
    toile: Toile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "_ASK_TENSORFLOW", "raise ImportError")
    found = findings(toile)
    assert not found["tensorflow"]["ok"]
    assert "gpu" not in found


@pytest.mark.usefixtures("without_tensorflow")
def test_a_password_in_an_address_is_not_shown(
    toile: Toile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOILE_DATABASE_URL", "postgresql+psycopg://u:hunter2@127.0.0.1:1/x")
    monkeypatch.setenv("TOILE_REDIS_URL", "redis://:hunter2@127.0.0.1:1/0")
    ran = toile("doctor")
    assert "127.0.0.1:1" in ran.out
    assert "hunter2" not in ran.out + ran.err

import json
import subprocess
import sys

import pytest

from shared.cli import toile as root
from tests.fixtures.api import FakeApi, problem
from tests.fixtures.toile import Toile


def test_help_names_every_command_and_loads_none() -> None:
    program = (
        "import sys; from shared.cli import main; main(['--help']);"
        "print([m for m in ('httpx', 'sqlalchemy', 'celery', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    for name in root._places:
        assert f"  {name} " in done.stdout


@pytest.mark.parametrize("name", root._places)
def test_every_command_has_help_and_the_groups_commands_too(toile: Toile, name: str) -> None:
    ran = toile(name, "--help")
    assert ran.code == 0
    assert f"toile {name}" in ran.out


def test_a_wrong_command_or_option_is_misuse(toile: Toile) -> None:
    assert toile("paint").code == 2
    assert toile("jobs", "list", "--stat", "queued").code == 2


def test_a_server_that_is_not_there_is_one_line_with_the_way_out(
    toile: Toile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOILE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("TOILE_API_KEY", "toile_key")
    ran = toile("jobs")
    assert ran.code == 1
    assert ran.out == ""
    assert "Is it running?" in ran.err
    assert "toile up" in ran.err
    assert ran.err.count("\n") == 1


def test_a_refusal_is_one_line_in_the_servers_words(toile: Toile, api: FakeApi) -> None:
    detail = "This key is not known. `toile key create` makes one."
    api["GET /v1/jobs"] = (401, problem(401, "unauthorized", detail))
    ran = toile("jobs", "list", "--json")
    assert (ran.code, ran.out, ran.err) == (1, "", f"Error: {detail}\n")


def test_without_a_key_the_way_to_one_is_told(toile: Toile) -> None:
    ran = toile("jobs")
    assert ran.code == 1
    assert "toile key create --site NAME --save" in ran.err


def test_a_setting_that_does_not_exist_is_told(
    toile: Toile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOILE_HOEM", "/x")
    ran = toile("site", "list")
    assert ran.code == 1
    assert "Did you mean TOILE_HOME?" in ran.err


def test_the_module_runs_as_the_command_does() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "shared.cli", "jobs", "wait"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "Missing argument" in done.stderr


def test_json_is_all_that_stands_on_standard_output(toile: Toile, api: FakeApi) -> None:
    api["GET /v1/catalogs"] = (200, {"items": [], "next_cursor": None})
    ran = toile("catalog", "list", "--json")
    assert json.loads(ran.out) == []
    assert ran.err == ""

"""The Procfile, compose and the images say the same, and name only what exists."""

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parents[2]
PROCESSES = dict(re.findall(r"^(\w+): (.+)$", (ROOT / "Procfile").read_text(), re.MULTILINE))
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
GPU = yaml.safe_load((ROOT / "worker/docker-compose.gpu.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILES = [ROOT / "web/Dockerfile", ROOT / "worker/Dockerfile"]
KNOWN = {PREFIX + name.upper() for name in Settings.model_fields}
WORKERS = ("train", "generate", "chores")


def test_the_procfile_has_the_processes_of_the_design() -> None:
    assert list(PROCESSES) == ["release", "web", "train", "generate", "chores", "beat"]


@pytest.mark.parametrize("name", PROCESSES)
def test_compose_runs_the_procfiles_own_command(name: str) -> None:
    shell, flag, command = SERVICES[name]["command"]
    assert (shell, flag) == ("sh", "-c")
    assert command.replace("$$", "$") == PROCESSES[name]


@pytest.mark.parametrize("name", PROCESSES)
def test_a_signal_reaches_the_process_and_not_a_shell(name: str) -> None:
    assert re.search(r"(^|&& )exec \S+ ", PROCESSES[name])


@pytest.mark.parametrize("line", PROCESSES.values(), ids=PROCESSES)
def test_a_line_is_shell_that_parses(line: str) -> None:
    subprocess.run(["/bin/sh", "-n", "-c", line], check=True)
    assert shlex.split(line)


def test_the_processes_name_only_settings_that_exist() -> None:
    named = set(re.findall(r"TOILE_[A-Z_]+", "\n".join(PROCESSES.values())))
    assert named
    assert named <= KNOWN


def test_every_queue_has_a_worker() -> None:
    from shared.queue.names import Queue

    taken = {
        queue
        for name in WORKERS
        for queue in re.findall(r"-Q (\S+)", PROCESSES[name])[0].split(",")
    }
    assert taken == {queue.value for queue in Queue}


def test_compose_sets_only_settings_that_exist() -> None:
    for name, service in SERVICES.items():
        for variable in service.get("environment", {}):
            assert not variable.startswith(PREFIX) or variable in KNOWN, (name, variable)


def test_what_the_host_may_set_for_compose_is_no_unknown_setting() -> None:
    text = (ROOT / "docker-compose.yml").read_text() + str(GPU)
    named = set(re.findall(r"(?<!\$)\$\{(\w+)", text))
    assert {name for name in named if name.startswith(PREFIX)} <= KNOWN


def test_no_secret_has_a_value_to_fall_back_on() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    used = re.findall(r"(?<!\$)\$\{(\w*(?:PASSWORD|SECRET|ACCESS_KEY)\w*)(.*?)\}", text)
    assert len(used) >= 8
    assert all(rest.startswith(":?") for _, rest in used), used
    assert not re.search(r"(PASSWORD|SECRET\w*|ACCESS_KEY): [^$\s]", text)


def test_every_image_from_elsewhere_is_pinned_by_its_tag() -> None:
    for name, service in SERVICES.items():
        image, _, tag = service["image"].partition(":")
        assert tag not in {"", "latest"}, name
        assert "build" in service or re.search(r"\d", tag), (name, image)
    bases = re.findall(r"ARG BASE=(\S+)", "\n".join(path.read_text() for path in DOCKERFILES))
    assert len(bases) == 2
    assert all(re.fullmatch(r"python:3\.1[123]-\S+", base) for base in bases)


def test_every_service_has_a_check_of_its_health_or_ends_by_itself() -> None:
    for name, service in SERVICES.items():
        own_image = "build" in service  # then the Dockerfile has one
        assert own_image or "test" in service["healthcheck"], name
    assert all("HEALTHCHECK" in path.read_text() for path in DOCKERFILES)


def test_everything_waits_for_the_migration_and_for_what_it_needs() -> None:
    for name in ("web", "beat", *WORKERS):
        needed = SERVICES[name]["depends_on"]
        assert needed["release"] == {"condition": "service_completed_successfully"}, name
        assert needed["redis"] == {"condition": "service_healthy"}, name
        assert needed["s3"] == {"condition": "service_healthy"}, name
    assert SERVICES["release"]["depends_on"]["postgres"] == {"condition": "service_healthy"}


def test_more_generation_workers_can_be_added() -> None:
    generate = SERVICES["generate"]
    assert "container_name" not in generate
    assert "ports" not in generate
    assert "%h" in PROCESSES["generate"], "two workers of one name would answer for each other"


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_is_asked_for_by_the_name_that_it_runs_under(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"] == ["CMD", "toile", "health", "worker", name]
    assert f"HONCHO_PROCESS_NAME:-{name}}}@%h" in PROCESSES[name]


def test_workers_have_time_to_put_their_work_back() -> None:
    for name in WORKERS:
        assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) >= 30


def test_a_plain_start_needs_no_gpu_and_the_overlay_gives_the_workers_one() -> None:
    assert not any("devices" in str(service) for service in SERVICES.values())
    for name in ("train", "generate"):
        overlay = GPU["services"][name]
        (device,) = overlay["deploy"]["resources"]["reservations"]["devices"]
        assert device["capabilities"] == ["gpu"]
        assert (ROOT / overlay["build"]["args"]["REQUIREMENTS"]).is_file()


def test_named_volumes_are_declared() -> None:
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            assert volume.split(":")[0] in COMPOSE["volumes"], name


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_an_image_copies_only_what_exists_and_is_not_ignored(path: Path) -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    kept = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(.+)$", path.read_text(), re.MULTILINE)
    assert copied
    for line in copied:
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert source.split("/")[0] in kept, source


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.parent.name)
def test_an_image_installs_by_hash_and_does_not_run_as_root(path: Path) -> None:
    text = path.read_text()
    assert "--require-hashes -r" in text
    (user,) = re.findall(r"^USER (\w+)$", text, re.MULTILINE)
    assert user != "root"
    assert text.index("USER ") > text.index("useradd")
    requirements = re.findall(r"(?:ARG REQUIREMENTS=|-r )(\w+/\S+\.txt)", text)
    assert requirements
    assert all((ROOT / one).is_file() for one in requirements)


def test_the_fronts_image_has_no_tensorflow() -> None:
    assert "tensorflow" not in (ROOT / "web/requirements.txt").read_text()
    assert "COPY worker" not in (ROOT / "web/Dockerfile").read_text()


def test_what_ci_runs_is_lint_and_test_alone() -> None:
    script = ROOT / ".ci/run"
    assert os.access(script, os.X_OK)
    lines = script.read_text().splitlines()
    assert lines[-2:] == ["make lint", "make test"]
    assert "set -euo pipefail" in lines

"""The keeper of processes, run in a process of its own: it takes signals and forks."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared.errors import ConfigurationError
from shared.stack.processes import read_procfile

ROOT = Path(__file__).resolve().parents[4]

DRIVER = """
import os, sys
from pathlib import Path
from shared.stack import processes
from shared.stack.processes import Command, Gate, Stack, read_procfile

processes._FIRST_PAUSE = 0.1
found = read_procfile(Path(sys.argv[1]), {**os.environ}, leave_out=["release"])
commands = [
    Command(one.name, one.line, one.environment, first=one.name == "base.1") for one in found
]
stack = Stack(commands, output=sys.stdout, grace=float(sys.argv[2]))
has_base = any(one.first for one in commands)
gates = [Gate(is_open=Path("open").exists, then=stack.launch_rest, patience=20)] if has_base else []
stack.loop(gates)
"""


class Keeper:
    def __init__(self, folder: Path, procfile: str, *, grace: float = 20) -> None:
        self.folder = folder
        (folder / "Procfile").write_text(procfile)
        self._log = (folder / "log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-c", DRIVER, str(folder / "Procfile"), str(grace)],
            cwd=folder,
            env={"PATH": os.defpath, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def lines(self) -> list[str]:
        found = (self.folder / "log").read_text().splitlines()
        return [line.partition("| ")[2] for line in found]

    def wait_for(self, line: str, *, times: int = 1) -> None:
        wait_until(lambda: self.lines.count(line) >= times, lambda: "\n".join(self.lines))

    def stop(self, *, seconds: float = 20) -> int:
        self.process.terminate()
        return self.process.wait(seconds)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._log.close()


Start = Callable[..., Keeper]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Keeper] = []

    def begin(procfile: str, **options: float) -> Keeper:
        started.append(Keeper(tmp_path, procfile, **options))
        return started[-1]

    yield begin
    for keeper in started:
        keeper.close()


def wait_until(holds: Callable[[], bool], told: Callable[[], str], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, told()
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def pids(folder: Path) -> list[int]:
    return [int(path.read_text()) for path in folder.glob("*.pid")]


def test_a_process_that_dies_is_started_again_and_the_others_go_on(start: Start) -> None:
    keeper = start(
        "worker: echo up; exec sleep 600\nflaky: echo trying; exit 3\nrelease: echo never\n"
    )
    keeper.wait_for("trying", times=3)
    keeper.wait_for("ended unasked (code 3); starting it again in 0.2 s")
    assert keeper.lines.count("up") == 1
    assert "never" not in keeper.lines
    assert keeper.stop() == 0


def test_a_process_that_does_not_come_up_is_told_loudly(start: Start) -> None:
    keeper = start("worker: echo up; exec sleep 600\nflaky: echo no module; exit 3\n")
    keeper.wait_for("!" * 78, times=2)
    told = " ".join(keeper.lines)
    assert "flaky.1 HAS DIED 3 TIMES IN A ROW" in told
    assert "toile doctor" in told
    assert keeper.lines.count("up") == 1
    assert keeper.stop() == 0


def test_a_process_that_is_killed_is_started_again(start: Start) -> None:
    keeper = start("worker: echo $$ > worker.pid; echo up; exec sleep 600\n")
    keeper.wait_for("up")
    os.kill(pids(keeper.folder)[0], signal.SIGKILL)
    keeper.wait_for("ended unasked (SIGKILL); starting it again in 0.1 s")
    keeper.wait_for("up", times=2)
    assert keeper.stop() == 0


def test_what_a_dead_process_leaves_behind_is_ended_before_it_starts_again(start: Start) -> None:
    keeper = start("worker: sleep 600 & echo $! > child.pid; echo up; sleep 0.3; exit 1\n")
    keeper.wait_for("up")
    wait_until(lambda: pids(keeper.folder) != [], lambda: "no child")
    (child,) = pids(keeper.folder)
    keeper.wait_for("up", times=2)
    assert not is_alive(child)
    assert keeper.stop() == 0


def test_a_stop_lets_every_process_finish_and_tells_only_its_leader(start: Start) -> None:
    keeper = start(
        "worker: trap 'echo finishing; sleep 1; echo finished; exit 0' TERM; "
        "sh -c 'trap \"echo child was told\" TERM; while :; do sleep 0.1; done' & "
        "echo up; while :; do sleep 0.1; done\n"
    )
    keeper.wait_for("up")
    assert keeper.stop() == 0
    assert keeper.lines[-2:] == ["finishing", "finished"]
    assert "child was told" not in keeper.lines


def test_a_process_that_does_not_stop_is_killed_after_its_grace(start: Start) -> None:
    keeper = start("worker: trap '' TERM; echo up; while :; do sleep 0.1; done\n", grace=0.5)
    keeper.wait_for("up")
    assert keeper.stop() == 0
    assert "worker.1 did not stop in time; killing it" in keeper.lines


def test_a_second_signal_does_not_wait(start: Start) -> None:
    keeper = start("worker: trap 'echo told' TERM; echo up; while :; do sleep 0.1; done\n")
    keeper.wait_for("up")
    keeper.process.send_signal(signal.SIGINT)
    keeper.wait_for("told")
    started = time.monotonic()
    keeper.process.send_signal(signal.SIGINT)
    assert keeper.process.wait(20) == 0
    assert time.monotonic() - started < 10


def test_a_stop_during_a_pause_starts_nothing_more(start: Start) -> None:
    keeper = start("flaky: echo trying; exit 1\n")
    keeper.wait_for("ended unasked (code 1); starting it again in 1.6 s")
    tries = keeper.lines.count("trying")
    assert keeper.stop() == 0
    assert keeper.lines.count("trying") == tries


def test_what_comes_first_is_waited_for_and_stops_last(start: Start) -> None:
    keeper = start(
        "base: trap 'echo base ends; exit 0' TERM; echo base; while :; do sleep 0.1; done\n"
        "worker: trap 'sleep 0.5; echo worker ends; exit 0' TERM; echo worker; "
        "while :; do sleep 0.1; done\n"
    )
    keeper.wait_for("base")
    time.sleep(0.5)
    assert "worker" not in keeper.lines
    (keeper.folder / "open").touch()
    keeper.wait_for("worker")
    assert keeper.stop() == 0
    assert keeper.lines[-2:] == ["worker ends", "base ends"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_no_process_outlives_a_keeper_that_is_killed(start: Start) -> None:
    keeper = start(
        "worker: echo $$ > worker.pid; echo up; exec sleep 600\n"
        "stubborn: trap '' TERM HUP INT; echo $$ > stubborn.pid; echo up; "
        "while :; do sleep 0.1; done\n"
    )
    keeper.wait_for("up", times=2)
    children = pids(keeper.folder)
    assert len(children) == 2
    keeper.process.kill()
    keeper.process.wait()
    wait_until(lambda: not any(map(is_alive, children)), lambda: f"{children} are alive", 5)


def test_a_procfile_gives_numbered_processes_with_names_of_their_own(tmp_path: Path) -> None:
    procfile = tmp_path / "Procfile"
    procfile.write_text("# comment\nweb: serve\ngenerate: work\nrelease: migrate\n")
    found = read_procfile(procfile, {"A": "1"}, leave_out=["release"], numbers={"generate": 2})
    assert [(one.name, one.line) for one in found] == [
        ("web.1", "serve"),
        ("generate.1", "work"),
        ("generate.2", "work"),
    ]
    assert found[2].environment == {"A": "1", "HONCHO_PROCESS_NAME": "generate.2"}


def test_a_procfile_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nothing to start"):
        read_procfile(tmp_path / "Procfile", {})

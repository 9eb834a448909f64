"""Watching what real processes take, and what becomes of one that takes too much."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared.settings import Settings
from worker import memory
from worker.memory import Cause, Death, Warden, kills, there_is, used_by

MEBIBYTE = 2**20

# Allocates 64 MiB at once when it reads a line, and 200 MiB that the kernel can take back.
CHILD = """
import mmap, sys, tempfile
file = tempfile.TemporaryFile()
file.write(b"x" * (200 << 20))
file.flush()
mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
seen = sum(mapped[at] for at in range(0, len(mapped), 4096))
print("up", flush=True)
kept = []
for _ in sys.stdin:
    kept.append(bytearray(b"y") * (64 << 20))
    print("more", flush=True)
"""

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells in /proc what a process takes"
)


class Child:
    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._read()

    def _read(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline()

    def eat(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        self._read()


@pytest.fixture
def child() -> Iterator[Child]:
    made = Child()
    yield made
    made.process.kill()
    made.process.communicate()


@pytest.fixture
def deaths() -> list[Death]:
    return []


@pytest.fixture
def warden(settings: Settings, child: Child, deaths: list[Death]) -> Callable[..., Warden]:
    def make(limit: int, count: Callable[[], int] = lambda: 0) -> Warden:
        changed = settings.model_copy(update={"worker_memory": limit * MEBIBYTE})
        return Warden(changed, lambda: [child.process.pid], record=deaths.append, count_kills=count)

    return make


def test_what_a_process_has_for_itself_counts_and_a_mapped_file_does_not(child: Child) -> None:
    before = used_by(child.process.pid)
    assert before is not None
    assert before < 100 * MEBIBYTE
    child.eat()
    after = used_by(child.process.pid)
    assert after is not None
    assert 60 * MEBIBYTE < after - before < 80 * MEBIBYTE


def test_a_process_that_is_gone_takes_nothing(child: Child) -> None:
    child.process.kill()
    child.process.wait()
    assert used_by(child.process.pid) is None


def test_a_child_over_its_limit_is_ended_and_written_down_with_both_numbers(
    warden: Callable[..., Warden], child: Child, deaths: list[Death]
) -> None:
    watching = warden(100)
    watching.look()
    assert child.process.poll() is None
    child.eat()
    child.eat()
    watching.look()
    assert child.process.wait(5) == -signal.SIGKILL
    (death,) = deaths
    assert death.cause is Cause.LIMIT
    assert death.limit == 100 * MEBIBYTE < death.used < 300 * MEBIBYTE
    watching.look()
    assert len(deaths) == 1


def test_a_child_that_the_kernel_killed_for_memory_is_written_down_as_a_suspect(
    warden: Callable[..., Warden], child: Child, deaths: list[Death]
) -> None:
    killed = [7]
    watching = warden(1000, lambda: killed[0])
    watching.look()
    killed[0] += 1  # counted before the process is gone
    watching.look()
    assert deaths == []
    child.process.kill()
    child.process.wait()
    watching.look()
    (death,) = deaths
    assert (death.pid, death.cause) == (child.process.pid, Cause.KERNEL)
    assert death.used > 0


def test_a_child_that_died_otherwise_is_written_down_unless_the_worker_stops(
    warden: Callable[..., Warden], child: Child, deaths: list[Death]
) -> None:
    watching, stopping = warden(1000), warden(1000)
    stopping.let_end()
    for one in (watching, stopping):
        one.look()
    child.process.kill()
    child.process.wait()
    stopping.look()
    assert deaths == []
    watching.look()
    watching.look()
    (death,) = deaths
    assert death.cause is Cause.OTHER


def test_a_death_that_cannot_be_written_down_does_not_end_the_watch(
    settings: Settings, child: Child
) -> None:
    def away(_death: Death) -> None:
        raise OSError("no database")

    changed = settings.model_copy(update={"worker_memory": MEBIBYTE})
    warden = Warden(changed, lambda: [child.process.pid], record=away, count_kills=lambda: 0)
    warden.look()
    assert child.process.wait(5) == -signal.SIGKILL


def test_unset_a_child_may_take_nine_tenths_of_what_there_is(settings: Settings) -> None:
    there = there_is()
    assert there is not None
    warden = Warden(settings, list, record=lambda _death: None)
    assert warden.limit == int(0.9 * there)


@pytest.mark.parametrize(
    ("group", "files"),
    [
        ("0::/box", {
            "box/memory.max": "max", "memory.max": "1048576",
            "box/memory.events": "oom 9\noom_kill 2",
        }),
        ("4:memory:/box", {
            "memory/memory.limit_in_bytes": "1048576",
            "memory/memory.oom_control": "under_oom 0\noom_kill 2",
        }),
    ],
    ids=["version 2", "version 1"],
)  # fmt: skip
def test_a_containers_limit_and_its_kills_are_found(
    group: str, files: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {
        "proc/self/cgroup": f"9:name=systemd:/\n{group}\n",
        "proc/meminfo": "MemTotal:       4096 kB\n",
        "proc/vmstat": "pgfault 12\noom_kill 5\n",
        **{f"groups/{name}": text for name, text in files.items()},
    }
    for name, text in told.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(memory, "_PROC", tmp_path / "proc")
    monkeypatch.setattr(memory, "_GROUPS", tmp_path / "groups")
    assert there_is() == MEBIBYTE
    assert kills() == 7

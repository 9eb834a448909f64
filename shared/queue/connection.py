"""Where Redis is: one that the operator names, or the one that `toile up` keeps."""

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Final
from urllib.parse import quote

from redis import Redis
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.retry import Retry

from shared.errors import ConfigurationError
from shared.settings import Settings

# The longest path that the kernel takes for a Unix socket is 107 bytes.
_LONGEST_SOCKET: Final = 100
_ANSWER_SECONDS: Final = 5
_CONNECT_SECONDS: Final = 2
_QUICK_SECONDS: Final = 0.25


def embedded_folder(settings: Settings) -> Path:
    """Return where the embedded Redis keeps its data and password."""
    return settings.home.resolve() / "redis"


def embedded_socket(settings: Settings) -> Path:
    """Return the embedded Redis' Unix socket: in TOILE_HOME, or in /tmp where that is too deep."""
    folder = embedded_folder(settings)
    socket = folder / "redis.sock"
    if len(os.fsencode(socket)) <= _LONGEST_SOCKET:
        return socket
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"toile-{os.getuid()}-{digest}" / "redis.sock"


def embedded_password(settings: Settings) -> str:
    """Return the embedded Redis' password.

    Raises:
        ConfigurationError: it was never started, so there is none yet.
    """
    path = embedded_folder(settings) / "password"
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        raise ConfigurationError(
            f"No Redis is named and the embedded one was never started here ({path} is missing). "
            "Start it with `toile up`, or set TOILE_REDIS_URL to a Redis or Valkey of yours."
        ) from None


def redis_url(settings: Settings) -> str:
    """Return Redis' address for the Redis client; it holds the password, so never log it."""
    if settings.redis_url is not None:
        return settings.redis_url.get_secret_value()
    password = quote(embedded_password(settings), safe="")
    return f"unix://:{password}@{embedded_socket(settings)}"


def broker_url(settings: Settings) -> str:
    """Return Redis' address as Celery writes it; it holds the password, so never log it."""
    url = redis_url(settings)
    return url.replace("unix://", "redis+socket://", 1)


def connect(settings: Settings) -> Redis:
    """Return a client. It connects on first use, gives up in seconds, and reconnects by itself."""
    return Redis.from_url(
        redis_url(settings),
        socket_timeout=_ANSWER_SECONDS,
        socket_connect_timeout=_CONNECT_SECONDS,
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), retries=2),
        health_check_interval=30,
    )


def connect_quickly(settings: Settings) -> Redis:
    """Return a client for what must not wait: it gives up in a quarter of a second, at once."""
    return Redis.from_url(
        redis_url(settings),
        socket_timeout=_QUICK_SECONDS,
        socket_connect_timeout=_QUICK_SECONDS,
        retry=Retry(NoBackoff(), retries=0),
        health_check_interval=30,
    )

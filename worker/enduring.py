"""Taking messages through a connection to Redis that may be lost, and a worker that outlives it."""

from typing import Any

from kombu.transport.redis import Channel, Transport
from redis.exceptions import ConnectionError as RedisConnectionError


class EnduringChannel(Channel):  # type: ignore[misc]  # kombu ships no types
    """Kombu's channel, which says that its connection is gone in a way that Celery knows.

    When Redis goes, Celery 5.7 takes the transport away from the connection first. Whoever uses a
    channel of it then, to close it or to acknowledge the message of a task that was under way, gets
    an AttributeError, which none of them expects: the whole worker ends. A lost connection they
    expect: they go on, and the message, not acknowledged, comes once more and finds nothing to do.
    """

    def _connparams(self, asynchronous: bool = False) -> Any:  # noqa: FBT001, FBT002 - kombu's signature
        if self.connection.client is None:
            message = "this connection to Redis was lost, and another one has taken its place"
            raise RedisConnectionError(message)
        return super()._connparams(asynchronous=asynchronous)


def endure() -> None:
    """Let this process' connections to Redis use such channels."""
    Transport.Channel = EnduringChannel

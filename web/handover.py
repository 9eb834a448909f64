"""Handing a connection over: from a server's thread to the one that serves all streams."""

import errno
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any, Final

from web.sockets import Sockets
from web.streams import Stream, frames

HANDOVER: Final = "toile.handover"
"""Set in a request's environment by a server that lets its connection be taken."""


class HandedOverError(OSError):
    """Tells the server that the connection is gone from it, in the one way that it does not log."""

    def __init__(self) -> None:
        super().__init__(errno.ENOTCONN, "The connection was handed over.")


class Body:
    """The body of a stream: its beginning, then the connection is taken along.

    Where the server lets no connection go (a development server, HTTP/2, TLS of the server's own),
    the body goes on in the server's thread.

    Args:
        stream: what to send.
        environ: of the request.
        sockets: takes the connection.
        close: called once the stream is no longer served, by whomever it was.
    """

    def __init__(
        self,
        stream: Stream,
        environ: dict[str, Any],
        sockets: Sockets,
        *,
        close: Callable[[], None],
    ) -> None:
        self._stream = stream
        self._sockets = sockets
        self._close = close
        self._chunked = environ.get("SERVER_PROTOCOL") == "HTTP/1.1"
        self._socket = _takable(environ)
        self._is_gone = False

    def __iter__(self) -> Iterator[bytes]:
        yield self._stream.take()
        if self._socket is None:
            yield from frames(self._stream)
            return
        # The server keeps an empty shell, which it finds closed.
        taken = socket.socket(fileno=self._socket.detach())
        self._is_gone = True
        self._sockets.adopt(taken, self._stream, chunked=self._chunked, done=self._close)
        raise HandedOverError

    def close(self) -> None:
        """Forget the stream, unless it lives on elsewhere; the server calls this in the end."""
        if not self._is_gone:
            self._close()


def _takable(environ: dict[str, Any]) -> socket.socket | None:
    found = environ.get("gunicorn.socket")
    is_plain = isinstance(found, socket.socket) and not isinstance(found, ssl.SSLSocket)
    allowed = environ.get(HANDOVER, False) and environ.get("HTTP_VERSION") != "2"
    return found if is_plain and allowed else None

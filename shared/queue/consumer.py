"""How a worker comes back to a Redis that was away: soon after it is there again, however long."""

from functools import partial
from typing import Any, Final

from celery.worker.consumer import Consumer

FIRST_SECONDS: Final = 0.5
LONGEST_SECONDS: Final = 3.0
"""The most that a worker waits between two tries. Left alone it would wait two seconds longer each
time, up to thirty, and so come back half a minute after a Redis that was away for some minutes."""


class ReturningConsumer(Consumer):
    """Celery's consumer, which tries to connect every three seconds at the least."""

    def ensure_connected(self, conn: Any) -> Any:
        """Return the connection once it is made; tries for as long as Redis is away."""
        conn.ensure_connection = partial(
            conn.ensure_connection,
            interval_start=FIRST_SECONDS,
            interval_step=FIRST_SECONDS,
            interval_max=LONGEST_SECONDS,
        )
        return super().ensure_connected(conn)

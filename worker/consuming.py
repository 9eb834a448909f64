"""Taking messages: Celery's consumer, which outlives a lost connection."""

import logging
from typing import Final

from celery.worker.consumer import Consumer

LOG: Final = logging.getLogger(__name__)


class EnduringConsumer(Consumer):
    """Celery's consumer, mended where it ends the worker instead of connecting again.

    When Redis goes, Celery 5.7 first takes the connection's transport away and then closes the
    connection's channel, which asks that transport where Redis is. The AttributeError is none of
    the errors that it expects while it closes, so the whole worker ends. By then the consumer has
    let go of the connection, and nothing is left to do.
    """

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Let go of a connection that is lost; what then starts makes a new one."""
        try:
            super().on_connection_error_after_connected(exc)
        except AttributeError as error:
            if self.connection is not None:
                raise
            LOG.warning("The lost connection to Redis was closed roughly (%s)", error)

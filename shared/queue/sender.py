"""Sending messages by name. A message is a hint that may be lost; the row is what counts."""

import logging
from typing import Final

from celery import Celery
from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import RedisError

from shared.errors import QueueUnavailableError
from shared.queue.app import create_app
from shared.queue.connection import connect
from shared.queue.names import TASK_OF, Task
from shared.schemas.jobs import JobKind, JobRecord
from shared.settings import Settings

LOG: Final = logging.getLogger(__name__)

# A hint that was lost with Redis' memory must not keep the next one from being sent for long.
HINT_SECONDS: Final = 10
# `retry=False` is not asked where the connection itself is missing: by default a send then holds
# its caller, who has the row written already, for six seconds.
_IMPATIENCE: Final = {"max_retries": 1, "interval_start": 0, "interval_step": 0.1}


class Sender:
    """Sends the messages that make workers look at the rows."""

    def __init__(self, app: Celery, redis: Redis) -> None:
        self._app = app
        self._redis = redis

    @classmethod
    def from_settings(cls, settings: Settings) -> "Sender":
        """Return a sender over the settings' Redis."""
        app = create_app(settings)
        app.conf.broker_transport_options = {**app.conf.broker_transport_options, **_IMPATIENCE}
        return cls(app, connect(settings))

    def send_job(self, job: JobRecord) -> None:
        """Tell a worker of a job.

        Designs go by release: one message is enough for all that wait for it, however many.

        Raises:
            QueueUnavailableError: Redis does not answer; the row waits, and upkeep sends it later.
        """
        if job.kind is JobKind.DESIGN and job.release_id is not None:
            self.hint_release(job.release_id)
        else:
            self.send(TASK_OF[job.kind], job.id)

    def hint_release(self, release_id: str, *, again: bool = False) -> None:
        """Tell a generation worker that a release has work, unless one was told and has not come.

        Args:
            release_id: the release.
            again: tell in any case; the one that was told may be dead.

        Raises:
            QueueUnavailableError: Redis does not answer.
        """
        try:
            first = self._redis.set(hint_key(release_id), 1, nx=not again, ex=HINT_SECONDS)
        except RedisError as error:
            raise _unavailable(error) from error
        if first:
            self.send(Task.GENERATE, release_id)

    def clear_hint(self, release_id: str) -> None:
        """Say that a worker has come for a release, so that the next job sends a new message."""
        try:
            self._redis.delete(hint_key(release_id))
        except RedisError as error:
            raise _unavailable(error) from error

    def hint_webhooks(self) -> None:
        """Tell a chores worker that events wait to be sent, unless one was told and has not come.

        Where Redis is away nothing happens: the beat's message finds them a little later.
        """
        try:
            if self._redis.set(WEBHOOKS_HINT, 1, nx=True, ex=HINT_SECONDS):
                self.send(Task.WEBHOOKS)
        except (RedisError, QueueUnavailableError) as error:
            LOG.warning("Events are sent to webhooks a little later: %s", error)

    def send(
        self, task: Task, argument: str | None = None, *, expires: float | None = None
    ) -> None:
        """Send one message; after `expires` seconds nobody acts on it.

        Raises:
            QueueUnavailableError: Redis does not answer.
        """
        arguments = [] if argument is None else [argument]
        try:
            self._app.send_task(task.value, args=arguments, retry=False, expires=expires)
        except (OperationalError, RedisError, OSError) as error:
            raise _unavailable(error) from error


WEBHOOKS_HINT: Final = "toile:hint:webhooks"


def hint_key(release_id: str) -> str:
    """Return the Redis key that stands while a generation message for a release is on its way."""
    return f"toile:hint:{release_id}"


def _unavailable(error: Exception) -> QueueUnavailableError:
    return QueueUnavailableError(
        f"Redis did not take a message ({type(error).__name__}). What was accepted is kept and "
        "sent later; see `toile doctor`."
    )

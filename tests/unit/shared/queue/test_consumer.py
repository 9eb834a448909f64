"""How long a worker waits between two tries at a Redis that is away."""

from contextlib import suppress
from typing import Any

from celery.utils.imports import symbol_by_name
from kombu import Connection
from kombu.exceptions import OperationalError
from pydantic import SecretStr

from shared.queue.app import create_app
from shared.queue.consumer import LONGEST_SECONDS, ReturningConsumer
from shared.settings import Settings


class NeverThere(Connection):  # type: ignore[misc]  # kombu ships no types
    """Cannot be made; tells how long was to be waited, and waits not."""

    waits: list[float]

    def _ensure_connection(self, *_: Any, **options: Any) -> None:
        start, step, most = (options[f"interval_{name}"] for name in ("start", "step", "max"))
        self.waits = [min(start + place * step, most) for place in range(40)]
        raise OperationalError("away")


def test_workers_run_the_consumer_that_comes_back_soon() -> None:
    app = create_app(Settings(redis_url=SecretStr("redis://nowhere")))
    assert symbol_by_name(app.conf.worker_consumer) is ReturningConsumer


def test_no_wait_between_two_tries_is_long_however_often_it_was_tried() -> None:
    consumer = ReturningConsumer.__new__(ReturningConsumer)
    consumer.app = create_app(Settings(redis_url=SecretStr("redis://nowhere")))
    consumer.first_connection_attempt = True
    connection = NeverThere("memory://")
    with suppress(OperationalError):
        consumer.ensure_connected(connection)
    assert connection.waits[0] <= 1
    assert max(connection.waits) == LONGEST_SECONDS < 10

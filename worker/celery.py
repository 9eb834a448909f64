"""The application that `celery -A worker` finds."""

import gc
from typing import Any

from celery.signals import setup_logging, worker_ready, worker_shutdown, worker_shutting_down

from shared import logging
from shared.queue.app import create_app
from shared.settings import load_settings
from worker.announcing import Announcer
from worker.runtime import DRAINING
from worker.schedule import beat_schedule

settings = load_settings()

app = create_app(
    settings,
    imports=(
        "worker.tasks.generation",
        "worker.tasks.indexing",
        "worker.tasks.ingest",
        "worker.tasks.metering",
        "worker.tasks.training",
        "worker.tasks.trends",
        "worker.tasks.upkeep",
    ),
    beat_schedule=beat_schedule(settings),
)
app.toile_settings = settings


@setup_logging.connect
def _configure_logging(**_ignored: Any) -> None:
    logging.configure(settings)


@worker_shutting_down.connect
def _start_draining(**_ignored: Any) -> None:
    # Celery tells only the parent; the event tells the children, whose work then ends by itself.
    DRAINING.set()


_announcers: list[Announcer] = []


@worker_ready.connect
def _announce(sender: Any, **_ignored: Any) -> None:
    # In the parent, which never computes: a child in a long step must still count as there.
    queues = [queue.name for queue in sender.app.amqp.queues.consume_from.values()]
    announcer = Announcer(settings, sender.hostname, queues)
    _announcers.append(announcer)
    announcer.start()
    # What was loaded stays until the end. Unfrozen, the interpreter looks through all of it several
    # times before it ends: a second of processor time, and many on a busy machine.
    gc.freeze()


@worker_shutdown.connect
def _leave(**_ignored: Any) -> None:
    for announcer in _announcers:
        announcer.stop()

"""The application that `celery -A worker` finds."""

import gc
import sys
from typing import Any

from celery.signals import (
    setup_logging,
    worker_process_init,
    worker_process_shutdown,
    worker_ready,
    worker_shutdown,
    worker_shutting_down,
)

from shared import logging, tracing
from shared.queue.app import create_app
from shared.settings import load_settings
from worker.announcing import Announcer
from worker.consuming import Consumption
from worker.enduring import endure
from worker.memory import Warden, offer_to_kernel
from worker.runtime import DRAINING
from worker.schedule import beat_schedule

settings = load_settings()
endure()

app = create_app(
    settings,
    imports=(
        "worker.tasks.generation",
        "worker.tasks.indexing",
        "worker.tasks.ingest",
        "worker.tasks.retention",
        "worker.tasks.metering",
        "worker.tasks.training",
        "worker.tasks.trends",
        "worker.tasks.upkeep",
        "worker.tasks.webhooks",
    ),
    beat_schedule=beat_schedule(settings),
)
app.toile_settings = settings


@setup_logging.connect
def _configure_logging(**_ignored: Any) -> None:
    logging.configure(settings, process=_name())


def _name() -> str:
    """Return what the command line calls this worker: `-n generate@host`, or `beat`."""
    words = sys.argv
    named = words[words.index("-n") + 1] if "-n" in words[:-1] else ""
    return named or ("beat" if "beat" in words else "worker")


@worker_process_shutdown.connect
def _send_spans(**_ignored: Any) -> None:
    # A child ends without the interpreter's farewell, in which they would be sent.
    tracing.close()


_announcers: list[Announcer] = []
_wardens: list[Warden] = []


@worker_shutting_down.connect
def _start_draining(**_ignored: Any) -> None:
    # Celery tells only the parent; the event tells the children, whose work then ends by itself.
    DRAINING.set()
    for announcer in _announcers:
        announcer.let_end()
    for warden in _wardens:
        warden.let_end()


@worker_process_init.connect
def _begin_child(**_ignored: Any) -> None:
    offer_to_kernel()
    gc.freeze()  # what it was born with stays; looking through all of it stops a batch for 0.1 s


@worker_ready.connect
def _announce(sender: Any, **_ignored: Any) -> None:
    # In the parent, which never computes: a child in a long step must still count as there.
    consumption = Consumption(sender)
    announcer = Announcer(settings, sender.hostname, consumption)
    _announcers.append(announcer)
    announcer.start()
    warden = Warden(settings, lambda: consumption.children)
    _wardens.append(warden)
    warden.start()
    # What was loaded stays until the end. Unfrozen, the interpreter looks through all of it several
    # times before it ends: a second of processor time, and many on a busy machine.
    gc.freeze()


@worker_shutdown.connect
def _leave(**_ignored: Any) -> None:
    for announcer in _announcers:
        announcer.stop()
    for warden in _wardens:
        warden.stop()

"""A stack that never sends a message again, to see that the harness notices: a real mutant."""

import logging
from typing import Final

from tests.chaos.worker import app
from worker.jobs import upkeep
from worker.runtime import Runtime

LOG: Final = logging.getLogger(__name__)

__all__ = ("app",)


def _send_nothing(runtime: Runtime) -> int:
    LOG.debug("%s keeps quiet", runtime.worker)
    return 0


upkeep.send_waiting = _send_nothing

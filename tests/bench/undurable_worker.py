"""The simulated worker without what keeps work safe: what durability costs is the difference.

`celery -A tests.bench.undurable_worker worker`. Nothing waits for the disk (SQLite with
`synchronous=OFF`, no flush of any file), and no row is written of any try. It is for measuring
alone: after a power cut it has lost what it said was kept.
"""

import os
from typing import Any

from sqlalchemy import Engine, event

from shared.records import holds
from tests.bench.simulated_worker import app

__all__ = ("app",)


@event.listens_for(Engine, "engine_connect")
def _trust_the_kernel(connection: Any) -> None:
    # Before each transaction: the engine's own listener says otherwise when it connects.
    connection.connection.dbapi_connection.execute("PRAGMA synchronous=OFF")


def _keep_quiet(*_: Any, **__: Any) -> None:
    return None


os.fsync = _keep_quiet
os.fdatasync = _keep_quiet
holds._open_attempts = _keep_quiet
holds.close_attempts = _keep_quiet

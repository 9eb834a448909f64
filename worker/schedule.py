"""The beat table: what is sent again and again, and how often."""

from typing import Any, Final

from shared.queue.names import Task
from shared.settings import Settings

_INDEX_SECONDS: Final = 60.0
"""Looking whether a catalog has grown is one query; new garments should be found soon."""

_TASTES_SECONDS: Final = 600.0
"""What all shoppers like moves slowly; a site where nobody said anything costs one query."""

_METER_SECONDS: Final = 3600.0
"""Adding up what is kept for a site reads a number of each of its designs."""


_WEBHOOKS_SECONDS: Final = 5.0
"""What is due again is found by this; what is new is hinted at once."""


def beat_schedule(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return the table in Celery's form.

    Messages expire before the next one is due: a queue without workers does not fill up with them.
    """
    every = {
        Task.UPKEEP: settings.upkeep_seconds,
        # Looking whether a report is due is cheap, and a due one should not wait long.
        Task.SCHEDULE_REPORTS: min(60.0, settings.trend_schedule_seconds),
        Task.INDEX: _INDEX_SECONDS,
        Task.TASTES: _TASTES_SECONDS,
        Task.RETENTION: settings.retention_seconds,
        Task.WEBHOOKS: _WEBHOOKS_SECONDS,
        Task.METER: _METER_SECONDS,
    }
    return {
        task.value: {"task": task.value, "schedule": seconds, "options": {"expires": seconds}}
        for task, seconds in every.items()
    }

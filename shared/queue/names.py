"""The names that both sides agree on: queues and tasks."""

from enum import StrEnum
from types import MappingProxyType
from typing import Final

from shared.schemas.jobs import JobKind


class Queue(StrEnum):
    """Which workers a message goes to."""

    TRAIN = "train"
    GENERATE = "generate"
    CHORES = "chores"
    UPKEEP = "upkeep"


class Task(StrEnum):
    """What a message asks for."""

    TRAIN = "toile.train"
    GENERATE = "toile.generate"
    INGEST = "toile.ingest"
    REPORT = "toile.report"
    FEED = "toile.feed"
    MOODBOARD = "toile.moodboard"
    INDEX = "toile.index"
    TASTES = "toile.tastes"
    UPKEEP = "toile.upkeep"
    SCHEDULE_REPORTS = "toile.schedule_reports"
    RETENTION = "toile.retention"
    WEBHOOKS = "toile.webhooks"
    METER = "toile.meter"


QUEUE_OF: Final = MappingProxyType(
    {
        Task.TRAIN: Queue.TRAIN,
        Task.GENERATE: Queue.GENERATE,
        Task.INGEST: Queue.CHORES,
        Task.REPORT: Queue.CHORES,
        Task.FEED: Queue.CHORES,
        Task.MOODBOARD: Queue.GENERATE,
        Task.INDEX: Queue.CHORES,
        Task.TASTES: Queue.CHORES,
        Task.UPKEEP: Queue.UPKEEP,
        Task.SCHEDULE_REPORTS: Queue.UPKEEP,
        Task.RETENTION: Queue.CHORES,
        # Never where designs are made: a slow receiver must keep no device waiting.
        Task.WEBHOOKS: Queue.CHORES,
        Task.METER: Queue.CHORES,
    }
)

TASK_OF: Final = MappingProxyType(
    {
        JobKind.TRAINING: Task.TRAIN,
        JobKind.DESIGN: Task.GENERATE,
        JobKind.INGEST: Task.INGEST,
        JobKind.TREND_REPORT: Task.REPORT,
        JobKind.FEED: Task.FEED,
        JobKind.MOODBOARD: Task.MOODBOARD,
    }
)

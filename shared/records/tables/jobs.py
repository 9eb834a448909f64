"""Jobs, the tries at them, and what makes two requests one."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.records.tables.base import Base, Json


class JobRow(Base):
    """A job: what was asked, who holds it, and how it ended."""

    __tablename__ = "jobs"
    __table_args__ = (
        # Two beats that both find a report due insert the same period; one of them loses.
        UniqueConstraint("site_id", "kind", "period"),
        Index("ix_jobs_site_created", "site_id", "created_at", "id"),
        # Workers and upkeep look only at jobs that are not over; the rest, which only grows,
        # stays out of their index.
        Index(
            "ix_jobs_open",
            "state",
            "kind",
            "release_id",
            "created_at",
            sqlite_where=text("state IN ('queued', 'running')"),
            postgresql_where=text("state IN ('queued', 'running')"),
        ),
        # A batch takes the oldest of each site, the most urgent first, however many wait.
        Index(
            "ix_jobs_waiting",
            "release_id",
            "priority",
            "site_id",
            "created_at",
            "id",
            sqlite_where=text("state = 'queued' AND kind = 'design'"),
            postgresql_where=text("state = 'queued' AND kind = 'design'"),
        ),
        Index(
            "ix_jobs_expiring",
            "expires_at",
            sqlite_where=text("state = 'queued'"),
            postgresql_where=text("state = 'queued'"),
        ),
        # Retention walks what is over, the oldest first.
        Index("ix_jobs_finished", "site_id", "finished_at", "id"),
        # Of the jobs that wait, those that were tried: few, however many wait.
        Index(
            "ix_jobs_retried",
            "attempts",
            sqlite_where=text("state = 'queued' AND attempts > 0"),
            postgresql_where=text("state = 'queued' AND attempts > 0"),
        ),
        Index("ix_jobs_digest", "site_id", "digest"),
        Index("ix_jobs_shopper", "shopper_id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"))
    kind: Mapped[str]
    state: Mapped[str]
    reason: Mapped[str | None]
    error: Mapped[Json | None]
    spec: Mapped[Json]
    result: Mapped[Json | None]
    release_id: Mapped[str | None]
    period: Mapped[str | None]
    units: Mapped[int] = mapped_column(default=1)
    priority: Mapped[int] = mapped_column(default=1, server_default=text("1"))
    expires_at: Mapped[datetime | None]
    digest: Mapped[str | None]
    # No foreign key: SQLite cannot add one to a table that is there.
    shopper_id: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(default=0)
    # Attempts that a worker ended by being shut down; they do not count towards the limit.
    spared: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    fence: Mapped[int] = mapped_column(default=0)
    owner: Mapped[str | None]
    lease_expires_at: Mapped[datetime | None]
    not_before: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    cancel_requested_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    # They lead from a job's log lines and spans to those of the request that asked for it, through
    # any number of attempts and messages.
    request_id: Mapped[str | None]
    traceparent: Mapped[str | None]


class AttemptRow(Base):
    """One try at a job, kept so that a job that fails for good can tell what happened each time."""

    __tablename__ = "attempts"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    fence: Mapped[int]
    worker: Mapped[str]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    message: Mapped[str | None]


class IdempotencyKeyRow(Base):
    """A caller's promise that two requests are one."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (
        Index("ix_idempotency_keys_created", "created_at"),
        Index("ix_idempotency_keys_job", "job_id"),
    )

    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]
    # The job that was made; of a request that makes none, the answer itself.
    job_id: Mapped[str | None] = mapped_column(ForeignKey("jobs.id"))
    answer: Mapped[Json | None]
    # Whose words the answer holds, so that they go when the shopper does.
    shopper_id: Mapped[str | None] = mapped_column(index=True)
    created_at: Mapped[datetime]

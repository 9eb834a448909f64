"""The tasks that report trends, on demand and on schedule."""

from celery import shared_task

from shared.queue.names import Task
from worker import attempt
from worker.jobs.moodboards import make_moodboards
from worker.jobs.reports import make_report, schedule_reports
from worker.tasks.base import ToileTask


@shared_task(name=Task.REPORT.value, base=ToileTask, bind=True)
def report(self: ToileTask, job_id: str) -> None:
    """Run one trend report job."""
    attempt.run(self.runtime, job_id, make_report)


@shared_task(name=Task.MOODBOARD.value, base=ToileTask, bind=True)
def moodboard(self: ToileTask, job_id: str) -> None:
    """Run one moodboard job, on a worker that makes designs."""
    attempt.run(self.runtime, job_id, make_moodboards)


@shared_task(name=Task.SCHEDULE_REPORTS.value, base=ToileTask, bind=True)
def schedule(self: ToileTask) -> None:
    """Queue the reports that are due."""
    schedule_reports(self.runtime)

"""How jobs are shown, whichever command shows them."""

from collections.abc import Sequence

import click

from shared.cli.output import print_json, print_table
from shared.client.progress import describe
from shared.schemas.jobs import Job, JobState


def show_submitted(job: Job, *, as_json: bool) -> None:
    """Say that a job was taken."""
    if as_json:
        print_json(job)
    else:
        click.echo(f"{job.id} is {job.state}. `toile jobs wait {job.id}` watches it.")


def show_jobs(found: Sequence[Job], *, as_json: bool) -> None:
    """List jobs."""
    if as_json:
        print_json(list(found))
        return
    rows = [
        (one.id, one.kind, one.state, _note(one), one.attempts, one.created_at) for one in found
    ]
    print_table(
        ["ID", "KIND", "STATE", "NOTE", "TRIES", "MADE"], rows, empty="There is no such job."
    )


def show_job(job: Job, *, as_json: bool) -> None:
    """Show all of one job."""
    if as_json:
        print_json(job)
        return
    rows: list[tuple[str, object]] = [
        ("id", job.id),
        ("kind", job.kind),
        ("state", f"{job.state} ({job.reason})" if job.reason else job.state),
        ("tries", job.attempts),
        ("made", job.created_at),
        ("started", job.started_at),
        ("finished", job.finished_at),
    ]
    if job.progress is not None:
        rows.append(("progress", describe(job)))
    if job.error is not None:
        rows.append(("error", job.error.message))
    rows += [(f"asked {name}", value) for name, value in _short(job.spec)]
    rows += [(f"result {name}", value) for name, value in _short(job.result or {})]
    print_table(["FIELD", "VALUE"], rows, empty="")


def _note(job: Job) -> str | None:
    if job.state is JobState.RUNNING:
        fraction = job.progress.fraction if job.progress else None
        return describe(job) if fraction is None else f"{fraction:.0%} {describe(job)}"
    return job.reason


def _short(values: dict[str, object]) -> list[tuple[str, object]]:
    hidden = {"kind", "schema_version"}
    return [
        (name, f"{len(value)} of them" if isinstance(value, list) else value)
        for name, value in values.items()
        if name not in hidden and value is not None
    ]

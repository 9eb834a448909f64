"""Waiting for a job in view of a person: a bar in a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Callable
from typing import Final

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from shared.client.client import Client, ended_well
from shared.schemas.jobs import Job, JobState

_LINE_SECONDS: Final = 15.0

# May return a line to show to the person.
OnProgress = Callable[[Job], str | None]


def watch(
    client: Client,
    job: Job,
    title: str,
    *,
    quiet: bool = False,
    timeout: float | None = None,
    on_progress: OnProgress = lambda _job: None,
) -> Job:
    """Show a job's progress on standard error until it is over, and return it.

    Raises:
        ApiError: it failed or was cancelled.
        NotFinishedError: the time is over and the job is not.
    """
    if quiet:
        done = client.wait(
            job.id, timeout=timeout, on_progress=lambda now: _ignore(on_progress(now))
        )
    elif sys.stderr.isatty():
        done = _with_bar(client, job, title, timeout, on_progress)
    else:
        done = _with_lines(client, job, title, timeout, on_progress)
    return ended_well(done)


def describe(job: Job) -> str:
    """Return in a few words how far a job is."""
    if job.state is JobState.QUEUED:
        return "waiting for a worker"
    progress = job.progress
    if progress is None:
        return job.state.value
    words = [progress.message] if progress.message else []
    if progress.images_seen is not None:
        words.append(f"{progress.images_seen:,} images")
    if progress.images_per_second:
        words.append(f"{progress.images_per_second:,.0f}/s")
    words += [f"{name} {value:.2f}" for name, value in sorted(progress.losses.items())[:3]]
    words += [f"{count:,} {name}" for name, count in progress.counts.items()]
    if progress.eta_seconds is not None:
        words.append(f"{_clock(progress.eta_seconds)} to go")
    return ", ".join(words)


def _with_bar(
    client: Client, job: Job, title: str, timeout: float | None, on_progress: OnProgress
) -> Job:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[words]}", style="dim"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=None, words="")

        def show(now: Job) -> None:
            _update(bar, task, now)
            line = on_progress(now)
            if line is not None:
                bar.console.print(line, highlight=False, markup=False)

        return client.wait(job.id, timeout=timeout, on_progress=show)


def _update(bar: Progress, task: TaskID, job: Job) -> None:
    if job.state is JobState.SUCCEEDED:
        bar.update(task, total=1.0, completed=1.0, words="done")
    elif job.progress is not None and job.progress.fraction is not None:
        bar.update(task, total=1.0, completed=job.progress.fraction, words=describe(job))
    else:
        bar.update(task, words=describe(job))


def _with_lines(
    client: Client, job: Job, title: str, timeout: float | None, on_progress: OnProgress
) -> Job:
    last = -_LINE_SECONDS

    def show(now: Job) -> None:
        nonlocal last
        if now.state.is_final or time.monotonic() >= last + _LINE_SECONDS:
            last = time.monotonic()
            fraction = now.progress.fraction if now.progress else None
            part = "" if fraction is None else f"{fraction:4.0%} "
            click.echo(f"{title}: {part}{describe(now)}", err=True)
        line = on_progress(now)
        if line is not None:
            click.echo(line, err=True)

    return client.wait(job.id, timeout=timeout, on_progress=show)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def _ignore(_line: str | None) -> None:
    """Drop a line: nobody looks."""

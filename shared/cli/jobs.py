"""`toile jobs`: looking at jobs, waiting for them, cancelling and retrying."""

from typing import Final

import click

from shared.cli.output import json_option, print_json
from shared.cli.progress import follow
from shared.cli.server import with_client
from shared.cli.showing import show_job, show_jobs, show_submitted
from shared.client import Client
from shared.schemas.jobs import JobKind, JobState

_KINDS: Final = [one.value for one in JobKind]
_STATES: Final = [one.value for one in JobState]


@click.group(invoke_without_command=True)
@click.pass_context
def jobs(context: click.Context) -> None:
    """Look at jobs, wait for them, cancel and retry them; alone, lists the newest."""
    if context.invoked_subcommand is None:
        # Not context.invoke: it would pass over what the environment sets.
        with list_jobs.make_context("list", [], parent=context) as listing:
            list_jobs.invoke(listing)


@jobs.command("list")
@click.option("--kind", type=click.Choice(_KINDS))
@click.option("--state", type=click.Choice(_STATES))
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
@json_option
@with_client
def list_jobs(
    client: Client, kind: str | None, state: str | None, limit: int, *, as_json: bool
) -> None:
    """List the newest jobs."""
    show_jobs(client.jobs(kind=kind, state=state, limit=limit), as_json=as_json)


@jobs.command()
@click.argument("job_id")
@json_option
@with_client
def show(client: Client, job_id: str, *, as_json: bool) -> None:
    """Show all of one job."""
    show_job(client.job(job_id), as_json=as_json)


@jobs.command()
@click.argument("job_id")
@click.option("--timeout", type=click.FloatRange(min=0), help="Give up after so many seconds.")
@json_option
@with_client
def wait(client: Client, job_id: str, timeout: float | None, *, as_json: bool) -> None:
    """Wait until a job is over; the exit code is 0 only if it succeeded."""
    job = client.job(job_id)
    done = follow(client, job, f"{job.kind.value} {job.id}", quiet=as_json, timeout=timeout)
    if as_json:
        print_json(done)
    else:
        click.echo(f"{done.id} {done.state}")


@jobs.command()
@click.argument("job_id")
@json_option
@with_client
def cancel(client: Client, job_id: str, *, as_json: bool) -> None:
    """Cancel a waiting job, or ask the worker of a running one to stop."""
    job = client.cancel(job_id)
    if as_json:
        print_json(job)
    elif job.state.is_final:
        click.echo(f"{job.id} is {job.state}.")
    else:
        click.echo(f"{job.id} is {job.state}; its worker was asked to stop.")


@jobs.command()
@click.argument("job_id")
@json_option
@with_client
def retry(client: Client, job_id: str, *, as_json: bool) -> None:
    """Make a new job of one that failed or was cancelled."""
    show_submitted(client.retry(job_id), as_json=as_json)

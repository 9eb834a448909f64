"""`toile site`: the tenants."""

import click

from shared.cli import limits
from shared.cli.database import open_records
from shared.cli.output import json_option, print_json, print_table
from shared.errors import NotFoundError
from shared.records import models, sites
from shared.settings import load_settings


@click.group()
def site() -> None:
    """Make and list sites: the tenants, each with keys, catalogs and models of its own."""


@site.command()
@click.argument("name")
@json_option
def create(name: str, *, as_json: bool) -> None:
    """Make a site."""
    with open_records(load_settings()) as records, records.transaction() as tx:
        made = sites.create(tx, name)
    if as_json:
        print_json(made)
    else:
        click.echo(f"Made the site {made.name} ({made.id}). `toile key create --site {made.name}`.")


@site.command("list")
@json_option
def list_sites(*, as_json: bool) -> None:
    """List all sites."""
    with open_records(load_settings()) as records, records.reading() as tx:
        found = sites.every(tx)
    if as_json:
        print_json(found)
    else:
        print_table(
            ["NAME", "ID", "MADE"],
            [(one.name, one.id, one.created_at) for one in found],
            empty="There is no site. `toile key create --site NAME` makes one with a key.",
        )


@site.command()
@click.argument("name")
@click.argument("weight", type=float)
def weight(name: str, weight: float) -> None:
    """Set a site's part of the batches that several sites wait for; 1 is usual."""
    with open_records(load_settings()) as records, records.transaction() as tx:
        changed = sites.set_weight(tx, name, weight)
    click.echo(
        f"{changed.name} now has {changed.weight:g} parts where each other site has its own."
    )


@site.command()
@click.argument("name")
@click.argument("seconds")
def schedule(name: str, seconds: str) -> None:
    """Set how often a site's trend report is made anew, in SECONDS; 0 is never.

    The word `default` goes back to TOILE_TREND_SCHEDULE_SECONDS. Where nothing has changed since
    the last report, none is made.
    """
    try:
        wanted = None if seconds == "default" else float(seconds)
    except ValueError:
        message = f"{seconds!r} is neither a number of seconds nor `default`."
        raise click.UsageError(message) from None
    with open_records(load_settings()) as records, records.transaction() as tx:
        changed = sites.set_schedule(tx, name, wanted)
    told = {None: "on the server's own schedule", 0.0: "only when asked for"}
    when = told.get(changed.trend_schedule_seconds, f"every {wanted or 0:g} seconds")
    click.echo(f"{changed.name}'s trend reports are now made {when}.")


@site.command()
@click.argument("name")
@click.option("--designs", default="default", help="DAYS for which designs stay; 0 is for ever.")
@click.option("--jobs", default="default", help="DAYS for which jobs stay that left nothing.")
def retention(name: str, designs: str, jobs: str) -> None:
    """Set for how many days a site's designs and jobs are kept after they are finished.

    What is not named goes back to TOILE_DESIGN_RETENTION_DAYS and TOILE_JOB_RETENTION_DAYS, as does
    the word `default`. `toile retention` shows what would go.
    """
    wanted = {"designs": _days(designs), "jobs": _days(jobs)}
    with open_records(load_settings()) as records, records.transaction() as tx:
        changed = sites.set_retention(tx, name, **wanted)
    told = ", ".join(f"{what} {_kept(days)}" for what, days in wanted.items())
    click.echo(f"Of {changed.name}: {told}.")


def _days(text: str) -> float | None:
    try:
        return None if text == "default" else float(text)
    except ValueError:
        message = f"{text!r} is neither a number of days nor `default`."
        raise click.UsageError(message) from None


def _kept(days: float | None) -> str:
    if days is None:
        return "are kept as long as the server says"
    return f"are kept for {days:g} days" if days else "are kept for ever"


@site.command()
@click.argument("model")
@click.argument("name")
@click.option("--stop", is_flag=True, help="Take the model back; designs that it made stay.")
def share(model: str, name: str, *, stop: bool) -> None:
    """Let the site NAME make designs with MODEL (its id), another site's."""
    with open_records(load_settings()) as records, records.transaction() as tx:
        found = sites.by_name(tx, name)
        if found is None:
            raise NotFoundError(f"There is no site named {name!r}. `toile site list` shows them.")
        if not stop:
            models.share(tx, model, found.id)
        elif not models.unshare(tx, model, found.id):
            raise NotFoundError(f"Model {model} was not shared with {name}.")
    click.echo(f"{name} {'no longer makes' if stop else 'may make'} designs with {model}.")


# What a site may use, and its links.
for _command in (limits.set_limits, limits.show, limits.rotate_links):
    site.add_command(_command)

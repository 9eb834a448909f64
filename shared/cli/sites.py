"""`toile site`: the tenants."""

import click

from shared.cli.database import open_records
from shared.cli.output import json_option, print_json, print_table
from shared.records import sites
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

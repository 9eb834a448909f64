"""`toile usage`: what the site used, by day."""

from datetime import datetime

import click

from shared.cli.output import json_option, print_json, print_table
from shared.cli.server import with_client
from shared.client import Client

_DAY = click.DateTime(formats=["%Y-%m-%d"])


@click.command()
@click.option("--from", "first", type=_DAY, help="First day, UTC; unset, 30 days.")
@click.option("--to", "last", type=_DAY, help="Last day, UTC; unset, today.")
@json_option
@with_client
def usage(client: Client, first: datetime | None, last: datetime | None, *, as_json: bool) -> None:
    """Tell what the site used, by day, and in all."""
    found = client.usage(first=first and first.date(), last=last and last.date())
    if as_json:
        print_json(found)
        return
    columns = ["DAY", "DESIGNS", "IMAGES", "DEVICE S", "TRAINING MIN", "STORED BYTES"]
    rows = [
        (
            str(one.day),
            one.designs,
            one.images,
            f"{one.device_seconds:.3f}",
            f"{one.training_minutes:.1f}",
            one.storage_bytes,
        )
        for one in found.days
    ]
    total = found.total
    rows.append(
        (
            "all",
            total.designs,
            total.images,
            f"{total.device_seconds:.3f}",
            f"{total.training_minutes:.1f}",
            found.storage_bytes,
        )
    )
    print_table(columns, rows, empty="Nothing was used.")

"""`toile alerts` and `toile moodboard`."""

from pathlib import Path
from typing import Any

import click

from shared.cli.output import json_option, print_json, print_table
from shared.cli.progress import follow
from shared.cli.server import asked, with_client
from shared.client import Client
from shared.schemas.alerts import BOTH, AlertRequest
from shared.schemas.boards import MoodboardRequest


@click.group()
def alerts() -> None:
    """Be told once when a value begins to rise or fall."""


@alerts.command()
@click.option("--catalog", help="Catalog id or name; unset, reports over all garments count.")
@click.option("--attribute", help="Such as colour; unset, any.")
@click.option("--value", help="Such as green; unset, any.")
@click.option("--segment", help="Unset, over all segments.")
@click.option(
    "--kind",
    "kinds",
    type=click.Choice(BOTH),
    multiple=True,
    help="May be repeated; unset, both.",
)
@json_option
@with_client
def add(
    client: Client,
    catalog: str | None,
    attribute: str | None,
    value: str | None,
    segment: str | None,
    kinds: tuple[str, ...],
    *,
    as_json: bool,
) -> None:
    """Add an alert."""
    request = asked(
        AlertRequest, catalog=catalog, attribute=attribute, value=value, segment=segment,
        kinds=kinds or BOTH,
    )  # fmt: skip
    made = client.add_alert(request)
    if as_json:
        print_json(made)
    else:
        click.echo(f"Added {made.id}. It fires with the first report that says so.")


@alerts.command("list")
@json_option
@with_client
def list_alerts(client: Client, *, as_json: bool) -> None:
    """List the alerts."""
    found = client.alerts()
    if as_json:
        print_json(found)
        return
    print_table(
        ["ALERT", "ATTRIBUTE", "VALUE", "SEGMENT", "KINDS", "STATE"],
        [
            (
                one.id,
                one.attribute or "any",
                one.value or "any",
                one.segment or "all",
                ", ".join(one.kinds),
                "stopped" if one.stopped_at else "watching",
            )
            for one in found
        ],
        empty="There is no alert. `toile alerts add` makes one.",
    )


@alerts.command()
@click.option("--alert", "alert_id", help="Only what this alert fired.")
@json_option
@with_client
def fired(client: Client, alert_id: str | None, *, as_json: bool) -> None:
    """List what fired, newest first."""
    found = client.fired_alerts(alert_id)
    if as_json:
        print_json(found)
        return
    print_table(
        ["FIRED", "ATTRIBUTE", "VALUE", "BEGAN", "CHANGE", "ENDED"],
        [
            (
                one.fired_at,
                one.attribute,
                one.value,
                one.kind,
                f"{one.change:+.0%}",
                one.ended_at or "-",
            )
            for one in found
        ],
        empty="Nothing fired yet.",
    )


@alerts.command()
@click.argument("alert_id")
@with_client
def stop(client: Client, alert_id: str) -> None:
    """Let an alert fire no more; what it fired stays listed."""
    click.echo(f"Stopped {client.stop_alert(alert_id).id}.")


@click.command()
@click.argument("report", default="latest")
@click.option("--release", help="Release id; unset, the newest that can serve the rises.")
@click.option("--count", type=click.IntRange(1, 32), default=8, show_default=True)
@click.option("--rack", type=click.IntRange(0, 64), default=24, show_default=True)
@click.option("--seed", type=int, help="Unset, one is drawn.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Save the page here.")
@json_option
@with_client
def moodboard(
    client: Client, report: str, out: Path | None, *, as_json: bool, **options: Any
) -> None:
    """Draw the moodboards of a trend report, and next season's rack."""
    request = asked(MoodboardRequest, **options)
    job = follow(client, client.moodboards(report, request), "Moodboards", quiet=as_json)
    result = job.result or {}
    page = result.get("page_url")
    if out is not None and page is not None:
        client.download(page, out)
    if as_json:
        print_json(job)
    elif page is None:
        click.echo(f"No moodboard. {result.get('why') or ''}".strip())
    else:
        click.echo(f"{result['boards']} boards, {result['designs']} designs: {out or page}")

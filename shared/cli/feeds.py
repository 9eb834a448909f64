"""`toile feed`: what others show and count, for trend reports."""

from pathlib import Path

import click

from shared.cli.catalogs import show_reasons
from shared.cli.output import json_option, print_json, print_table, say
from shared.cli.packing import packed
from shared.cli.progress import follow
from shared.cli.server import asked, with_client
from shared.cli.showing import show_submitted
from shared.client import Client
from shared.schemas.feeds import BatchResult, Feed, FeedRequest
from shared.schemas.jobs import Job

_COUNTS = frozenset({".csv", ".tsv", ".jsonl", ".ndjson"})


@click.group()
def feed() -> None:
    """Add what others show and count, for trend reports: counts, or dated images."""


@feed.command()
@click.argument("name")
@click.option("--source", help="Where it comes from, such as instagram; unset, the name.")
@click.option("--segment", help="Market or audience of rows that name none.")
@click.option("--weight", type=float, default=1.0, show_default=True,
              help="How much one observation counts beside a garment of a catalog.")  # fmt: skip
@json_option
@with_client
def create(
    client: Client, name: str, source: str | None, segment: str | None, weight: float, *,
    as_json: bool,
) -> None:  # fmt: skip
    """Make an empty feed."""
    request = asked(FeedRequest, name=name, source=source, segment=segment, weight=weight)
    made = client.create_feed(request)
    if as_json:
        print_json(made)
    else:
        click.echo(f"The feed {made.name} ({made.id}). `toile feed add {made.name} PATH` fills it.")


@feed.command()
@click.argument("name")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--revises", is_flag=True,
              help="These counts replace what was said of their days and segments.")  # fmt: skip
@click.option("--wait/--no-wait", default=True, help="Stay until it is done.", show_default=True)
@json_option
@with_client
def add(client: Client, name: str, path: Path, *, revises: bool, wait: bool, as_json: bool) -> None:
    """Add a batch to a feed: counts (.csv, .jsonl), or an archive or folder of dated images."""
    job = _send(client, client.feed(name), path, revises=revises)
    if not wait:
        show_submitted(job, as_json=as_json)
        return
    done = follow(client, job, f"Adding to {name}", quiet=as_json)
    if as_json:
        print_json(done)
        return
    result = BatchResult.model_validate(done.result, extra="ignore")
    click.echo(
        f"{name}: {result.rows:,} rows for {result.observations:,.0f} observations added"
        f"{'' if result.batch is None else f' as batch {result.batch}'}, {result.merged:,} exact "
        f"copies merged, {result.rejected:,} not taken."
    )
    show_reasons("Not taken", result.rejections, result.rejected)
    show_reasons("Taken, but", result.remarks, len(result.remarks))


@feed.command("list")
@json_option
@with_client
def list_feeds(client: Client, *, as_json: bool) -> None:
    """List all feeds."""
    found = client.feeds()
    if as_json:
        print_json(found)
        return
    print_table(
        ["NAME", "ID", "SOURCE", "SEGMENT", "BATCHES", "OBSERVATIONS", "FIRST", "LAST"],
        [
            (one.name, one.id, one.source, one.segment, one.batches, f"{one.observations:,.0f}",
             one.first, one.last)
            for one in found
        ],
        empty="There is no feed. `toile feed create NAME` makes one.",
    )  # fmt: skip


@feed.command()
@click.argument("name")
@json_option
@with_client
def show(client: Client, name: str, *, as_json: bool) -> None:
    """List a feed's batches."""
    found = client.batches(name)
    if as_json:
        print_json(found)
        return
    print_table(
        ["BATCH", "KIND", "ROWS", "OBSERVATIONS", "FIRST", "LAST", "REVISES", "ADDED"],
        [
            (one.number, one.kind.value, f"{one.rows:,}", f"{one.observations:,.0f}", one.first,
             one.last, "yes" if one.revises else None, one.created_at)
            for one in found
        ],
        empty=f"{name} has no batch. `toile feed add {name} PATH` adds one.",
    )  # fmt: skip


@feed.command()
@click.argument("name")
@click.confirmation_option(prompt="Delete the feed with all that it brought?")
@with_client
def delete(client: Client, name: str) -> None:
    """Delete a feed with all that it brought; reports stay as they are."""
    client.delete_feed(name)
    click.echo(f"The feed {name} is gone.")


def _send(client: Client, feed: Feed, path: Path, *, revises: bool) -> Job:
    if path.is_dir():
        say(f"Packing {path} ...")
        with packed(path) as archive:
            return client.add_images(feed.id, archive)
    if path.suffix.lower() in _COUNTS:
        return client.add_counts(feed.id, path, revises=revises)
    if revises:
        message = "--revises is for counts: a .csv or .jsonl file."
        raise click.UsageError(message)
    return client.add_images(feed.id, path)

"""`toile catalog`: adding garments and listing catalogs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from shared.cli.output import json_option, print_json, print_table, say
from shared.cli.packing import packed
from shared.cli.progress import follow
from shared.cli.server import asked, pairs_of, with_client
from shared.cli.showing import show_submitted
from shared.client import Client
from shared.schemas.catalogs import GarmentFields, IngestResult, Rejection
from shared.schemas.jobs import Job

_PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"})
_SHOWN = 10


@click.group()
def catalog() -> None:
    """Add garments to catalogs, and list them."""


@catalog.command()
@click.argument("path")
@click.option("--name", help="The catalog, made if missing; unset, named after the path.")
@click.option("--size", type=int, help="Side of the stored pictures, pixels, for a new catalog.")
@click.option(
    "--attribute", "attributes", multiple=True, metavar="NAME=VALUE", help="Of a single picture."
)
@click.option("--date", help="Of a single picture, as 2026-03-31.")
@click.option("--on-server", is_flag=True, help="PATH is on the server, below TOILE_IMPORT_ROOTS.")
@click.option("--wait/--no-wait", default=True, help="Stay until it is done.", show_default=True)
@json_option
@with_client
def add(client: Client, path: str, *, name: str | None, wait: bool, **options: Any) -> None:
    """Add an archive, a folder or a picture to a catalog."""
    name = name or _named_after(path)
    if not options["on_server"] and not Path(path).exists():
        message = f"There is nothing at {path}."
        raise click.UsageError(message)
    made = client.create_catalog(name, image_size=options["size"])
    job = _send(client, made.id, path, options)
    if not wait:
        show_submitted(job, as_json=options["as_json"])
        return
    done = follow(client, job, f"Adding to {name}", quiet=options["as_json"])
    if options["as_json"]:
        print_json(done)
    else:
        _show_result(name, IngestResult.model_validate(done.result, extra="ignore"))


@catalog.command("list")
@json_option
@with_client
def list_catalogs(client: Client, *, as_json: bool) -> None:
    """List all catalogs."""
    found = client.catalogs()
    if as_json:
        print_json(found)
        return
    rows = [
        (
            one.name,
            one.id,
            f"{one.garments:,}",
            one.version,
            f"{one.image_size} px" if one.image_size else None,
            ", ".join(f"{name} ({len(values)})" for name, values in one.attributes.items()),
        )
        for one in found
    ]
    print_table(
        ["NAME", "ID", "GARMENTS", "VERSION", "SIZE", "ATTRIBUTES"],
        rows,
        empty="There is no catalog. `toile catalog add PATH --name NAME` makes one.",
    )


def _send(client: Client, catalog_id: str, path: str, options: dict[str, Any]) -> Job:
    if options["on_server"]:
        return client.add_path(catalog_id, path)
    local = Path(path)
    if local.is_dir():
        say(f"Packing {local} ...")
        with packed(local) as archive:
            return client.add_archive(catalog_id, archive)
    if local.suffix.lower() in _PICTURES:
        fields = asked(
            GarmentFields, attributes=pairs_of(options["attributes"]), date=options["date"]
        )
        return client.add_image(catalog_id, local, fields)
    return client.add_archive(catalog_id, local)


def _named_after(path: str) -> str:
    name = Path(path).resolve().name
    for suffix in (".tar.gz", ".tar.bz2", ".tar.xz", *(s for s in [Path(name).suffix] if s)):
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return name


def _show_result(name: str, result: IngestResult) -> None:
    click.echo(
        f"{name} is at version {result.version}: {result.added:,} added, {result.merged:,} exact "
        f"copies merged, {result.near_duplicates:,} near-duplicates, {result.rejected:,} not taken."
    )
    show_reasons("Not taken", result.rejections, result.rejected)
    show_reasons("Taken, but", result.remarks, len(result.remarks))


def show_reasons(title: str, reasons: Sequence[Rejection], total: int) -> None:
    """Print the first of what was not taken in, or not as its owner may think."""
    for one in reasons[:_SHOWN]:
        click.echo(f"  {title}: {one.name}: {one.reason}")
    if total > _SHOWN:
        click.echo(f"  {title}: {total - _SHOWN:,} more; --json lists them.")

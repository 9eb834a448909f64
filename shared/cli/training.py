"""`toile train`."""

from pathlib import Path
from typing import Any, Final, get_args

import click

from shared.cli.output import json_option, print_json
from shared.cli.progress import follow
from shared.cli.server import asked, with_client
from shared.cli.showing import show_submitted
from shared.client import Client
from shared.schemas.jobs import USUAL_HELDOUT, Budget, Precision, Preset, Width
from shared.schemas.models import TrainingRequest

_MINUTES: Final = 10.0
_PRESETS: Final = click.Choice(get_args(Preset))
_WIDTHS: Final = click.Choice(get_args(Width))
_PRECISIONS: Final = click.Choice(get_args(Precision))


@click.command()
@click.argument("catalog")
@click.option("--model", default="default", show_default=True, help="The line it joins.")
@click.option("--minutes", type=float, help=f"How long to train; unset, {_MINUTES:g}.")
@click.option("--images", type=int, help="Instead of minutes: how many images to see.")
@click.option("--size", type=int, help="Side in pixels; unset, the catalog's, at most 64.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--attributes", help="Labels to condition on, split by commas; unset, chosen.")
@click.option("--from-release", metavar="ID", help="Go on from this release, on new garments too.")
@click.option("--preset", type=_PRESETS, default="auto", show_default=True, help="The networks.")
@click.option("--width", type=_WIDTHS, default="auto", show_default=True, help="Of the networks.")
@click.option("--precision", type=_PRECISIONS, default="auto", show_default=True)
@click.option(
    "--balance",
    type=click.FloatRange(0, 1),
    help="How far rare values are drawn more often, 0 to 1; unset, chosen.",
)
@click.option(
    "--early-stop",
    type=click.IntRange(2, 1000),
    metavar="READINGS",
    help="Stop once the metric has not improved in so many readings; unset, never.",
)
@click.option(
    "--heldout",
    type=click.FloatRange(0.02, 0.3),
    default=USUAL_HELDOUT,
    show_default=True,
    help="Share of the garments that is kept back and measured against.",
)
@click.option("--grid", type=click.Path(path_type=Path), help="Write the sample grid here, PNG.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Stay until it is done.")
@json_option
@with_client
def train(client: Client, *, wait: bool, as_json: bool, grid: Path | None, **options: Any) -> None:
    """Train a model on a catalog, by its name or id."""
    job = client.train(_request(options))
    if not wait:
        show_submitted(job, as_json=as_json)
        return
    done = follow(client, job, f"Training {options['model']}", quiet=as_json)
    result = done.result or {}
    if grid is not None:
        client.download(result["grid_url"], grid)
    if as_json:
        print_json(done)
    else:
        click.echo(
            f"{result['model']} has release {result['release_number']}: {result['release_id']}"
        )
        click.echo(f"Its sample grid: {grid or result['grid_url']}")
        if "card_url" in result:
            click.echo(f"Its card: {result['card_url']}")


def _request(options: dict[str, Any]) -> TrainingRequest:
    minutes, images = options["minutes"], options["images"]
    if minutes is not None and images is not None:
        message = "Give --minutes or --images, not both."
        raise click.UsageError(message)
    if images is None:
        budget = asked(Budget, minutes=_MINUTES if minutes is None else minutes)
    else:
        budget = asked(Budget, images=images)
    named = options["attributes"]
    return asked(
        TrainingRequest,
        catalog=options["catalog"],
        model=options["model"],
        budget=budget,
        size=options["size"],
        seed=options["seed"],
        from_release=options["from_release"],
        preset=options["preset"],
        width=options["width"],
        precision=options["precision"],
        balance=options["balance"],
        early_stop=options["early_stop"],
        heldout=options["heldout"],
        attributes=None if named is None else [one.strip() for one in named.split(",")],
    )

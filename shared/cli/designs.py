"""`toile design`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from shared import ids
from shared.cli.output import json_option, print_json, print_table
from shared.cli.progress import follow
from shared.cli.server import asked, pairs_of, with_client
from shared.cli.showing import show_submitted
from shared.client import Client
from shared.schemas.designs import (
    USUAL_VARIETY,
    Design,
    DesignRequest,
    ImageFormat,
    MixRequest,
    Priority,
    VariationRequest,
    WalkRequest,
)
from shared.schemas.jobs import Job

_FORMATS: Final = [one.value for one in ImageFormat]
_PRIORITIES: Final = [one.value for one in Priority]


def _result_options(command: Callable[..., None]) -> Any:
    """Add what every command takes that makes designs, and the client."""
    options = (
        click.option(
            "--out", type=click.Path(file_okay=False, path_type=Path), help="Save them here."
        ),
        click.option(
            "--wait/--no-wait", default=True, show_default=True, help="Stay until it is done."
        ),
        json_option,
        with_client,
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@click.argument("model")
@click.option("--count", type=click.IntRange(1, 64), default=1, show_default=True)
@click.option(
    "--condition",
    "conditions",
    multiple=True,
    metavar="NAME=VALUE",
    help="Such as category=dress or colour=#1f3a5f; may be repeated.",
)
@click.option("--seed", type=int, help="Unset, one is drawn.")
@click.option("--size", type=int, help="Side in pixels, at most the release's own.")
@click.option(
    "--variety",
    type=click.FloatRange(0, 1),
    default=USUAL_VARIETY,
    show_default=True,
    help="1 spreads as the catalog does; less is more ordinary and cleaner.",
)
@click.option("--format", "format_", type=click.Choice(_FORMATS), default="png", show_default=True)
@click.option(
    "--priority", type=click.Choice(_PRIORITIES), default="interactive", show_default=True
)
@click.option("--expires-in", type=float, help="Seconds after which nobody wants them.")
@click.option("--shopper", help="Your reference of the shopper to design for.")
@click.option(
    "--trend",
    type=click.FloatRange(0, 1),
    default=0,
    show_default=True,
    help="How far they lean towards what the newest trend report says is rising.",
)
@_result_options
def design(client: Client, *, out: Path | None, wait: bool, as_json: bool, **options: Any) -> None:
    """Make designs with a model's newest release, or with a release by its id."""
    _show(client, client.design(_request(options)), out=out, wait=wait, as_json=as_json)


@click.command()
@click.argument("design_id", metavar="DESIGN")
@click.option("--count", type=click.IntRange(1, 64), default=4, show_default=True)
@click.option(
    "--strength",
    type=click.FloatRange(0, 1),
    default=0.4,
    show_default=True,
    help="0 is the design itself, 1 a new one.",
)
@click.option(
    "--condition", "conditions", multiple=True, metavar="NAME=VALUE", help="What shall differ."
)
@click.option("--seed", type=int, help="Unset, one is drawn.")
@_result_options
def vary(
    client: Client, *, design_id: str, conditions: tuple[str, ...], out: Path | None, wait: bool,
    as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Make designs around one that there is."""
    request = asked(VariationRequest, condition=pairs_of(conditions), **options)
    _show(client, client.vary(design_id, request), out=out, wait=wait, as_json=as_json)


@click.command()
@click.argument("first")
@click.argument("second")
@click.option("--count", type=click.IntRange(1, 64), default=4, show_default=True)
@click.option("--share", type=click.FloatRange(0, 1), help="Of the second; unset, spread evenly.")
@_result_options
def mix(client: Client, *, out: Path | None, wait: bool, as_json: bool, **options: Any) -> None:
    """Make designs between two of one release."""
    job = client.mix(asked(MixRequest, **options))
    _show(client, job, out=out, wait=wait, as_json=as_json)


@click.command()
@click.argument("first")
@click.argument("second")
@click.option("--frames", type=click.IntRange(2, 64), default=16, show_default=True)
@click.option("--frame-milliseconds", type=click.IntRange(20, 2000), default=80, show_default=True)
@_result_options
def walk(client: Client, *, out: Path | None, wait: bool, as_json: bool, **options: Any) -> None:
    """Make an animation (WebP) from a design to another of the same release."""
    job = client.walk(asked(WalkRequest, **options))
    _show(client, job, out=out, wait=wait, as_json=as_json)


def _show(client: Client, job: Job, *, out: Path | None, wait: bool, as_json: bool) -> None:
    if not wait:
        show_submitted(job, as_json=as_json)
        return
    follow(client, job, "Designing", quiet=as_json)
    made = client.designs(job.id)
    files = [None if out is None else _save(client, one, out) for one in made]
    if as_json:
        print_json(
            [
                {**one.model_dump(mode="json"), "file": None if file is None else str(file)}
                for one, file in zip(made, files, strict=True)
            ]
        )
    else:
        rows = [
            (one.position, one.seed, _words(one), file or one.image_url)
            for one, file in zip(made, files, strict=True)
        ]
        print_table(["NO", "SEED", "CONDITION", "PICTURE"], rows, empty="No design was made.")


def _request(options: dict[str, Any]) -> DesignRequest:
    model = options["model"]
    which = "release" if model.startswith(f"{ids.RELEASE}_") else "model"
    return asked(
        DesignRequest,
        **{which: model},
        count=options["count"],
        condition=pairs_of(options["conditions"]),
        seed=options["seed"],
        size=options["size"],
        format=options["format_"],
        variety=options["variety"],
        priority=options["priority"],
        expires_in=options["expires_in"],
        shopper=options["shopper"],
    )


def _save(client: Client, design: Design, folder: Path) -> Path:
    target = folder / f"{design.job_id}-{design.position:02d}.{design.format.value}"
    return client.download(design.image_url, target)


def _words(design: Design) -> str:
    return ", ".join(f"{name} {value}" for name, value in design.condition.items()) or "any"

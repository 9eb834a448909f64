"""`toile design`."""

from pathlib import Path
from typing import Any, Final

import click

from shared import ids
from shared.cli.output import json_option, print_json, print_table
from shared.cli.progress import follow
from shared.cli.server import asked, pairs_of, with_client
from shared.cli.showing import show_submitted
from shared.client import Client
from shared.schemas.designs import USUAL_VARIETY, Design, DesignRequest, ImageFormat

_FORMATS: Final = [one.value for one in ImageFormat]


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
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Save them here.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Stay until it is done.")
@json_option
@with_client
def design(client: Client, *, out: Path | None, wait: bool, as_json: bool, **options: Any) -> None:
    """Make designs with a model's newest release, or with a release by its id."""
    job = client.design(_request(options))
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
    )


def _save(client: Client, design: Design, folder: Path) -> Path:
    target = folder / f"{design.job_id}-{design.position:02d}.{design.format.value}"
    return client.download(design.image_url, target)


def _words(design: Design) -> str:
    return ", ".join(f"{name} {value}" for name, value in design.condition.items()) or "any"

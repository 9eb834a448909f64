"""The command line. It starts fast: a command's own module is loaded when it is asked for."""

import sys
from collections.abc import Sequence

import click

from shared.cli.lazy import LazyGroup
from shared.errors import ToileError

_EPILOG = (
    "Commands that speak to the server take its address from TOILE_URL and the key from "
    "TOILE_API_KEY, or from the file that `toile key create --save` wrote."
)

toile = LazyGroup(
    "toile",
    help="Toile learns garments from a catalog, designs new ones, and reports trends.",
    epilog=_EPILOG,
    commands={
        "up": ("shared.cli.stack:up", "Start everything on this machine and stay."),
        "demo": ("shared.cli.stack:demo", "Run the main job end to end."),
        "doctor": ("shared.cli.doctor:doctor", "Say what is missing, and how to mend it."),
        "migrate": ("shared.cli.stack:migrate", "Bring the database's tables up to date."),
        "workers": ("shared.cli.workers:workers", "List the workers, and what each does now."),
        "drain": ("shared.cli.workers:drain", "Let workers finish what they have, and no more."),
        "health": ("shared.cli.workers:health", "Say whether a worker of this host lives."),
        "backup": ("shared.cli.keeping:backup", "Write records and artifacts to a file or folder."),
        "restore": ("shared.cli.keeping:restore", "Put a backup back."),
        "verify": ("shared.cli.keeping:verify", "Look whether all artifacts are whole."),
        "orphans": ("shared.cli.keeping:orphans", "List artifacts that no row names."),
        "retention": ("shared.cli.keeping:retention", "Tell what is past its time."),
        "site": ("shared.cli.sites:site", "Make and list sites."),
        "key": ("shared.cli.keys:key", "Make, list, rotate and revoke API keys."),
        "console": ("shared.cli.keys:console", "Print a link that logs a browser in once."),
        "catalog": ("shared.cli.catalogs:catalog", "Add garments to catalogs, and list them."),
        "train": ("shared.cli.training:train", "Train a model on a catalog."),
        "design": ("shared.cli.designs:design", "Make designs with a model."),
        "vary": ("shared.cli.designs:vary", "Make designs around one that there is."),
        "mix": ("shared.cli.designs:mix", "Make designs between two."),
        "walk": ("shared.cli.designs:walk", "Make an animation from a design to another."),
        "provenance": (
            "shared.cli.provenance:provenance",
            "Tell whether a picture is one of the site's designs.",
        ),
        "shopper": ("shared.cli.shoppers:shopper", "Say what shoppers like, and what they may."),
        "usage": ("shared.cli.usage:usage", "Tell what the site used, by day."),
        "jobs": ("shared.cli.jobs:jobs", "Look at jobs, wait for them, cancel and retry them."),
        "feed": ("shared.cli.feeds:feed", "Add what others show and count, for trend reports."),
        "trends": ("shared.cli.trends:trends", "Make a trend report."),
        "alerts": ("shared.cli.alerts:alerts", "Be told when a value begins to rise or fall."),
        "webhooks": ("shared.cli.webhooks:webhooks", "Be told of events at an address."),
        "moodboard": ("shared.cli.alerts:moodboard", "Draw the moodboards of a trend report."),
    },
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns 0 when it did what was asked, 1 when it could not, 2 for misuse."""
    try:
        code = toile.main(
            None if arguments is None else list(arguments), "toile", standalone_mode=False
        )
    except click.exceptions.Abort:
        click.echo("Stopped.", err=True)
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except ToileError as error:
        click.echo(f"{click.style('Error:', fg='red')} {error.message}", err=True)
        return 1
    except BrokenPipeError:  # whoever read the output has seen enough
        sys.stderr.close()
        return 1
    return code if isinstance(code, int) else 0

"""`toile up`, `toile migrate` and `toile demo`."""

import json
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from shared.cli.output import json_option, print_json, say
from shared.settings import load_settings


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the page; 0 takes a free one.")
@click.option("--host", help="Address to listen on; 0.0.0.0 lets other machines in.")
@click.option(
    "--generate",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="How many generation workers.",
)
@json_option
def up(port: int | None, host: str | None, generate: int, *, as_json: bool) -> int:
    """Start everything on this machine and stay: Redis, web, workers, beat.

    Ctrl-C stops it all: running work is put back first, for up to 45 seconds; a second Ctrl-C does
    not wait. With --json, one line of JSON says when the server answers and where; the processes'
    lines then go to standard error.
    """
    from shared.stack.up import up as start

    given = {"port": port, "host": host}
    settings = load_settings().model_copy(
        update={name: value for name, value in given.items() if value is not None}
    )

    def ready(url: str) -> None:
        if as_json:
            click.echo(json.dumps({"url": url}))
            sys.stdout.flush()
        else:
            say(f"Toile is at {url} . `toile console` prints a link that logs you in.")

    return start(
        settings, generate=generate, on_ready=ready, output=sys.stderr if as_json else sys.stdout
    )


@click.command()
@click.option("--revision", metavar="MESSAGE", help="Then write a migration from the tables.")
@json_option
def migrate(revision: str | None, *, as_json: bool) -> None:
    """Bring the database's tables up to date; of several that start at once, one does it."""
    from shared.records import Records
    from shared.records import migrate as migrations

    with closing(Records(load_settings().database)) as records:
        before = migrations.current(records)
        migrations.upgrade(records)
        after = migrations.current(records)
        written = None if revision is None else migrations.create_revision(records, revision)
    if as_json:
        print_json({"before": before, "after": after, "written": written and str(written)})
    elif written is not None:
        click.echo(f"Read what was written: {written}")
    elif before == after:
        click.echo(f"The tables are up to date ({after}).")
    else:
        click.echo(f"The tables went from {before or 'nothing'} to {after}.")


@click.command()
@click.option(
    "--catalog",
    type=click.Path(exists=True, path_type=Path),
    help="An archive, a folder, or Fashion-MNIST IDX files to learn from.",
)
@click.option(
    "--minutes", type=click.FloatRange(min=0, min_open=True), default=3, show_default=True
)
@click.option("--designs", type=click.IntRange(1, 512), default=64, show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the page; 0 takes a free one.")
@click.option(
    "--keras-home",
    envvar="KERAS_HOME",
    default="~/.keras",
    type=click.Path(path_type=Path),
    hidden=True,
)
@click.option("--keep", is_flag=True, help="Leave everything running at the end.")
@json_option
def demo(*, as_json: bool, **options: Any) -> None:
    """Run the main job end to end: a catalog in, a model, designs and a trend report out."""
    from shared.demo.run import DemoOptions, run

    summary = run(load_settings(), DemoOptions(**options, quiet=as_json))
    if as_json:
        print_json(summary)

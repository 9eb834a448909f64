"""`python -m tests.chaos`: the long run, with its result as JSON and Markdown."""

import logging
import sys
from pathlib import Path

import click

from tests.bench import results
from tests.chaos.clients import Amounts
from tests.chaos.run import Asked, run
from tests.chaos.telling import markdown
from tests.chaos.world import running_world


@click.command()
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for results.")
@click.option("--database", default="sqlite", type=click.Choice(["sqlite", "postgresql"]),
              show_default=True)  # fmt: skip
@click.option("--seed", default=1, show_default=True, help="Decides what is done, and when.")
@click.option("--seconds", default=300.0, show_default=True, help="How long things are broken.")
@click.option("--every", default=3.0, show_default=True, help="Seconds from kill to kill.")
@click.option("--designs", default=1000, show_default=True)
@click.option("--trainings", default=10, show_default=True)
@click.option("--reports", default=5, show_default=True)
@click.option("--clients", default=6, show_default=True)
def main(  # noqa: PLR0913 - one parameter an option is click's way
    *, out: Path, database: str, seed: int, seconds: float, every: float, designs: int,
    trainings: int, reports: int, clients: int,
) -> None:  # fmt: skip
    """Break a running stack for minutes, and count what became of the jobs it accepted."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    amounts = Amounts(designs, trainings, reports)
    asked = Asked(seed=seed, seconds=seconds, every=every, amounts=amounts, clients=clients)
    with running_world(database=database, disk_mebibytes=512) as world:
        try:
            told = run(world, asked)
        finally:
            _keep_logs(world.stack.folder, out / f"chaos-{database}-logs")
    name = f"chaos-{database}-{seed}"
    results.write(out / f"{name}.json", told.as_json())
    results.write_bytes(out / f"{name}.md", markdown(told).encode())
    click.echo(markdown(told))
    if told.findings:
        sys.exit(1)


def _keep_logs(folder: Path, target: Path) -> None:
    for log in folder.glob("*.log"):
        results.write_bytes(target / log.name, log.read_bytes())


if __name__ == "__main__":
    main()

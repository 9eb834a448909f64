"""What durability costs a worker that makes designs: with all of it, and with none, in turn."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from tests.bench import bench_device, machine, numbers, plots, results
from tests.bench.simulated import Pacing

WAYS: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    "durable": ("tests.bench.simulated_worker", {}),
    "undurable": (
        "tests.bench.undurable_worker",
        # A lease that is never renewed in a run: no heartbeat writes.
        {"lease_seconds": 86_400, "heartbeat_seconds": 40_000},
    ),
}
"""The worker's application and settings of each way. Fences are no cost apart: a claim and an end
are one compare-and-set each, with or without a number in it."""


@click.command()
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for results.")
@click.option("--rounds", default=5, show_default=True)
@click.option("--seconds", default=5.0, show_default=True, help="Of device time in a measurement.")
@click.option("--counts", multiple=True, type=int, default=(1, 8), show_default=True,
              help="Images in a job.")  # fmt: skip
@click.option("--fixed", default=8.0, show_default=True, help="Milliseconds of a pass.")
@click.option("--each", default=0.2, show_default=True, help="Milliseconds of a picture in it.")
def main(
    *, out: Path, rounds: int, seconds: float, counts: tuple[int, ...], fixed: float, each: float
) -> None:
    """Measure images a second both ways, in turn, and the share that durability takes."""
    pacing = Pacing(fixed_ms=fixed, each_ms=each)
    found = [measured(pacing, seconds=seconds, counts=counts) for _ in range(rounds)]
    result = {
        "pacing": pacing.model_dump(),
        "overhead": {f"jobs_of_{count}": overhead(found, count) for count in counts},
        "rounds": found,
        "machine": machine.facts(),
    }
    results.write(out / "durability.json", result)
    bars = {
        f"{way}, {count} a job": [one[way][f"jobs_of_{count}"]["images_per_second"]
                                  for one in found]
        for count in counts
        for way in WAYS
    }  # fmt: skip
    picture = plots.bars(bars, title="Images a second of one worker, with and without durability")
    results.write_bytes(out / "durability.png", picture)
    click.echo(json.dumps(numbers.plain(result["overhead"]), indent=1))


def measured(pacing: Pacing, *, seconds: float, counts: tuple[int, ...]) -> dict[str, Any]:
    """Work a backlog off in each way, one after the other; returns what the rows tell."""
    found: dict[str, Any] = {}
    for way, (app, settings) in WAYS.items():
        with bench_device.floor(1, app=app, **settings) as ground:
            bench_device.warm_up(ground, pacing)
            found[way] = {
                f"jobs_of_{count}": bench_device.worked_off(
                    ground, pacing, count=count, seconds=seconds
                )
                for count in counts
            }
    return {**found, **machine.load()}


def overhead(rounds: list[dict[str, Any]], count: int) -> dict[str, Any]:
    """Return the share of the speed without durability that is lost with it.

    By medians over all rounds, and round by round: a neighbour's burst weighs on one of a pair.
    """
    speeds = {
        way: [one[way][f"jobs_of_{count}"]["images_per_second"] for one in rounds] for way in WAYS
    }
    medians = {way: numbers.summary(values) for way, values in speeds.items()}
    processor = {
        way: numbers.summary(
            [one[way][f"jobs_of_{count}"]["processor_ms_a_batch"] for one in rounds]
        )
        for way in WAYS
    }
    return {
        "of_medians": 1 - medians["durable"]["median"] / medians["undurable"]["median"],
        "by_round": numbers.summary(
            [1 - ours / theirs
             for ours, theirs in zip(speeds["durable"], speeds["undurable"], strict=True)]
        ),
        "images_per_second": medians,
        "processor_ms_a_batch": processor,
    }  # fmt: skip


if __name__ == "__main__":
    main()

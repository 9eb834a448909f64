"""A trend report over millions of garments: time and memory, from rows and from column files.

Each measurement is a process of its own: its peak memory is its own, and nothing is warm but the
system's file cache. Processor time is told beside the clock's, for a machine that others use too.
"""

import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from tests.bench import machine, report_world, results
from tests.bench.report_world import World

GOAL_SECONDS, GOAL_GIB, GOAL_DAY_SECONDS = 60.0, 2.0, 5.0
GENERATED_AT = datetime(2026, 7, 15, 9, tzinfo=UTC)


@click.command()
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for results.")
@click.option("--rows", default=2_000_000, show_default=True, help="Dated garments.")
@click.option("--years", default=5, show_default=True, help="Of history.")
@click.option("--versions", default=20, show_default=True, help="Ingests that brought them.")
@click.option("--brands", default=400, show_default=True, help="Values of the largest attribute.")
@click.option("--segments/--no-segments", default=True, show_default=True)
@click.option("--draw/--no-draw", default=True, show_default=True, help="The page and plots.")
@click.option("--keep", is_flag=True, help="Keep the database and the store.")
@click.option("--child", default=None, hidden=True)
def main(  # noqa: PLR0913 - one parameter an option is click's way
    *, out: Path, rows: int, years: int, versions: int, brands: int, segments: bool, draw: bool,
    keep: bool, child: str | None,
) -> None:  # fmt: skip
    """Measure a report from rows, from column files, and after one more day."""
    world = World(rows, years, versions, _values(brands))
    home = out / "home"
    if child is not None:
        click.echo(json.dumps(_measured(child, home, world, segments=segments, draw=draw)))
        return
    if home.exists() and not (home / "filled").exists():
        shutil.rmtree(home)
    if not home.exists():
        click.echo(f"Writing {rows:,} garments ...")
        report_world.fill(home, world)
        (home / "filled").touch()
    options = [
        *("--out", str(out), "--rows", str(rows), "--years", str(years)),
        *("--versions", str(versions), "--brands", str(brands)),
        "--segments" if segments else "--no-segments",
        "--draw" if draw else "--no-draw",
    ]
    told: dict[str, Any] = {"machine": machine.facts(), "world": vars(world), "runs": {}}
    for name in ("rows", "columns", "day", "day again"):
        told["runs"][name] = _in_child(name, options)
        click.echo(f"{name}: {_line(told['runs'][name])}")
        results.write(out / "report.json", told)
    click.echo(_verdict(told["runs"]))
    if not keep:
        shutil.rmtree(home)


def _values(brands: int) -> dict[str, int]:
    return {"category": 40, "colour": 20, "material": 40, "pattern": 12, "brand": brands}


def _in_child(name: str, options: list[str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.bench.bench_report", *options, "--child", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise click.ClickException(f"{name} failed: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


class _Stages:
    """Seconds of each stage, by the clock and by the processor."""

    def __init__(self) -> None:
        self.found: dict[str, dict[str, float]] = {}

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        clock, processor = time.perf_counter(), time.process_time()
        yield
        self.found[name] = {
            "seconds": round(time.perf_counter() - clock, 3),
            "processor": round(time.process_time() - processor, 3),
        }


def _measured(name: str, home: Path, world: World, *, segments: bool, draw: bool) -> dict[str, Any]:
    """Make one report as a job does, without the queue."""
    from shared.artifacts import open_store
    from shared.records import catalogs, sites
    from shared.schemas.trends import TrendOptions
    from worker import heap
    from worker.jobs import columns
    from worker.jobs.reports import fingerprint_of
    from worker.trends.page import render
    from worker.trends.report import build_report

    stages = _Stages()
    settings, records = report_world.open_home(home)
    store = open_store(settings)
    runtime: Any = _Runtime(settings, records, store)
    if name.startswith("day"):
        at = 1 + (name == "day again")
        catalog, version, rows = report_world.add_day(home, world, day=at)
        with stages.timed("ingest"):
            observed = columns.observations_of(rows)
            made = columns.store_columns(store, columns.columns_key(catalog), observed)
        with records.transaction() as tx:
            catalogs.set_columns(tx, catalog, version, made)
    with records.reading() as tx:
        site = sites.by_name(tx, report_world.SITE)
    assert site is not None
    options = TrendOptions(period="week", segments=segments)
    with stages.timed("stock"):
        inventory = columns.take_stock(runtime, site.id, None)
        mark = fingerprint_of(inventory.marks, options)
    with heap.kept():
        with stages.timed("load"):
            whole = columns.load(runtime, inventory)
        with stages.timed("report"):
            report = build_report(whole, options, generated_at=GENERATED_AT, fingerprint=mark)
        with stages.timed("draw"):
            files = render(report) if draw else {}
    records.close()
    return {
        "garments": report.data.used,
        "series": len(report.series) + sum(len(one.series) for one in report.segments),
        "periods": len(report.periods),
        "stages": stages.found,
        "seconds": round(sum(one["seconds"] for one in stages.found.values()), 3),
        "processor": round(sum(one["processor"] for one in stages.found.values()), 3),
        "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 3),
        "bytes": sum(len(data) for data in files.values()),
        **machine.load(),
    }


class _Runtime:
    """As much of a worker's runtime as reading columns needs."""

    def __init__(self, settings: Any, records: Any, store: Any) -> None:
        self.settings, self.records, self.store = settings, records, store


def _line(run: Mapping[str, Any]) -> str:
    stages = ", ".join(
        f"{name} {one['seconds']:.1f} ({one['processor']:.1f})"
        for name, one in run["stages"].items()
    )
    return (
        f"{run['seconds']:.1f} s, of the processor {run['processor']:.1f} s, peak "
        f"{run['peak_gib']:.2f} GiB; {run['series']} series of {run['periods']} weeks; {stages}"
    )


def _verdict(runs: Mapping[str, Mapping[str, Any]]) -> str:
    def told(name: str, value: float, goal: float, unit: str) -> str:
        return f"{name}: {value:.1f} {unit}, goal {goal:g}: {'met' if value <= goal else 'missed'}"

    return "\n".join(
        [
            told("rows to report", runs["rows"]["seconds"], GOAL_SECONDS, "s"),
            told("of the processor", runs["rows"]["processor"], GOAL_SECONDS, "s"),
            told("its peak memory", runs["rows"]["peak_gib"], GOAL_GIB, "GiB"),
            told("one day more", runs["day again"]["seconds"], GOAL_DAY_SECONDS, "s"),
            told("of the processor", runs["day again"]["processor"], GOAL_DAY_SECONDS, "s"),
        ]
    )


if __name__ == "__main__":
    main()

"""One training to its figures, in a folder of its own, in parts that are never done twice."""

import resource
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from tests.bench import engine, machine, results
from tests.bench.catalogs import Catalog
from tests.bench.judging import Judgement
from worker.gan import grid
from worker.gan.progress import Progress
from worker.gan.recipe import Preset, Recipe

TOLD = ("images_seen", "seconds", "steps", "images_per_second", "events", "choices",
        "losses", "metric_curve")  # fmt: skip
"""What is copied from a release's card into its run's result."""


@dataclass(frozen=True)
class Run:
    """What to train, and how thoroughly to measure it.

    Attributes:
        preset: the family of networks.
        seed: of the training.
        minutes: of training, over all sessions.
        n: images to measure.
        seeds: sets of images to measure, for intervals.
    """

    preset: Preset
    seed: int
    minutes: float
    n: int = 10_000
    seeds: int = 5

    def folder(self, out: Path, catalog: Catalog) -> Path:
        """Where this run lies; another budget is another run."""
        return out / "runs" / f"{catalog.name}-{self.preset}-{self.minutes:g}min-{self.seed}"


def train(run: Run, catalog: Catalog, judgement: Judgement | None, out: Path) -> None:
    """Train unless it was done; a cut training goes on from its checkpoint."""
    folder = run.folder(out, catalog)
    if (folder / "run.json").exists():
        return
    click.echo(f"{folder.name}: training for {run.minutes:g} minutes")
    recipe = Recipe(
        preset=run.preset,
        seed=run.seed,
        minutes=run.minutes,
        preview_seconds=max(5.0, run.minutes),
        checkpoint_seconds=30.0,
    )
    load = machine.load()["load"]
    judge = judgement.judge() if judgement else None
    release = engine.run(recipe, catalog.train, folder, on_progress=Sheets(folder), judge=judge)
    result = {
        "data": catalog.name,
        "preset": run.preset,
        "seed": run.seed,
        "minutes": run.minutes,
        **{name: release.card[name] for name in TOLD if name in release.card},
        "peak_mib_of_the_process": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "load_before": load,
        "machine": machine.facts(),
    }
    results.write(folder / "run.json", result)


def measure(run: Run, catalog: Catalog, judgement: Judgement, out: Path) -> None:
    """Measure the run's release unless it was done."""
    folder = run.folder(out, catalog)
    if (folder / "figures.json").exists():
        return
    click.echo(f"{folder.name}: measuring")
    n = min(run.n, 10 * catalog.test.n)
    sampler = engine.sampler(engine.load(folder))
    figures = judgement.figures(sampler, n=n, seeds=run.seeds)
    results.write(folder / "figures.json", {"figures": figures})


def do(run: Run, catalog: Catalog, judgement: Judgement | None, out: Path) -> dict[str, Any] | None:
    """Train, measure, and return the run's result as it stands."""
    train(run, catalog, judgement, out)
    if judgement is not None:
        measure(run, catalog, judgement, out)
    return results.read(run.folder(out, catalog) / "run.json")


class Sheets:
    """Keeps the sample sheets of a training, named by the images seen."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "grids"

    def __call__(self, progress: Progress) -> None:
        if progress.grid is not None:
            path = self._folder / f"{progress.images_seen:010d}.png"
            results.write_bytes(path, grid.png(progress.grid))

"""Trainings broken on purpose: how many mend themselves, and whether any goes round for ever."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import click
import numpy as np
from numpy.typing import NDArray

from shared.errors import TrainingDivergedError
from tests.bench import catalogs, engine, machine, results
from tests.bench.catalogs import Catalog
from tests.bench.engine import Sampler
from tests.bench.faults import FAULTS, Fault
from tests.bench.judging import Judgement
from worker.gan import watchdog
from worker.gan.data import Dataset
from worker.gan.recipe import Preset, Recipe

Outcome = Literal["recovered", "poor", "not finite", "gave up", "looped"]

TIMES_UNDISTURBED = 2.0
"""How far a mended run's Frechet distance may lie above what it could have been."""

SHOWN = 8
"""Designs a condition by which the final spread is taken, as on the engine's sample sheet."""

UNDISTURBED = Fault("undisturbed", "nothing is broken")


@dataclass(frozen=True)
class Trial:
    """What every injection has alike."""

    preset: Preset
    images: int
    n: int


@click.command()
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for results.")
@click.option("--root", default=catalogs.REAL, type=click.Path(path_type=Path), help="Real data.")
@click.option("--data", default="fashion-mnist", type=click.Choice(catalogs.NAMES),
              show_default=True)  # fmt: skip
@click.option("--preset", default="residual", type=click.Choice(engine.PRESETS),
              show_default=True)  # fmt: skip
@click.option("--faults", "names", multiple=True, type=click.Choice([f.name for f in FAULTS]),
              default=[f.name for f in FAULTS], show_default=True)  # fmt: skip
@click.option("--seeds", default=4, show_default=True)
@click.option("--images", default=60_000, show_default=True, help="Budget of each training.")
@click.option("--n", default=5_000, show_default=True, help="Images measured.")
@click.option("--measured/--unmeasured", default=True, help="Unmeasured: all but the distance.")
def main(  # noqa: PLR0913 - one parameter an option is click's way
    *, out: Path, root: Path, data: catalogs.Name, preset: Preset, names: tuple[str, ...],
    seeds: int, images: int, n: int, measured: bool,
) -> None:  # fmt: skip
    """Run what is not done yet, undisturbed runs first, then tell the outcomes."""
    catalog = catalogs.read(data, root=root)
    judgement = Judgement(catalog, out) if measured else None
    trial = Trial(preset, images, n)
    folder = out / "collapse" / f"{data}-{preset}-{images}"
    chosen = [fault for fault in FAULTS if fault.name in names]
    for seed in range(seeds):
        for fault in (UNDISTURBED, *chosen):
            one(fault, seed, catalog, trial, judgement, folder)
    table = summarise(folder)
    results.write(out / f"collapse-{folder.name}.json", {**table, "machine": machine.facts()})
    click.echo(as_text(table))


def one(
    fault: Fault, seed: int, catalog: Catalog, trial: Trial, judgement: Judgement | None,
    folder: Path,
) -> dict[str, Any]:  # fmt: skip
    """Break one training and keep what became of it, unless it was done."""
    path = folder / f"{fault.name}-{seed}.json"
    if (done := results.read(path)) is not None:
        return done
    click.echo(f"{fault.name} {seed}: {fault.words}")
    given = fault.dataset(catalog.train)
    told = {
        "fault": fault.name,
        "words": fault.words,
        "seed": seed,
        **broken_run(fault, seed, given, trial, folder / f"{fault.name}-{seed}"),
        "fd": None,
        "fd_of_its_data": None,
    }
    if judgement is not None and told["ended"] == "release":
        generator = engine.load(folder / f"{fault.name}-{seed}")
        told["fd"] = judgement.distance(engine.sampler(generator), n=trial.n)
        if given is not catalog.train:
            told["fd_of_its_data"] = judgement.distance(drawn_from(given.images), n=trial.n)
    results.write(path, told)
    return told


def broken_run(
    fault: Fault, seed: int, given: Dataset, trial: Trial, folder: Path
) -> dict[str, Any]:
    """Train with the fault; return how it ended, with the watchdog's history."""
    asked = Recipe(preset=trial.preset, images=trial.images, seed=seed, preview_seconds=5.0)
    asked = fault.recipe(asked, given)
    steps = trial.images // engine.settled(asked, given).batch
    try:
        with fault.during(steps):
            card = engine.run(asked, given, folder).card
    except TrainingDivergedError as problem:
        return {"ended": "diverged", "events": problem.details["events"]}
    rows = engine.rows_of(engine.load(folder), SHOWN)
    return {
        "ended": "release",
        "events": card["events"],
        "losses": card["losses"][-1] if card["losses"] else {},
        "spread": watchdog.spread(rows),
        "least_spread": watchdog.POOR_SPREAD * watchdog.spread(watchdog._rows_of(given)),
        "seconds": card["seconds"],
    }


def drawn_from(images: NDArray[np.uint8]) -> Sampler:
    """Return a sampler that gives real garments back: the best that their number allows."""

    def sample(
        labels: NDArray[np.int32],
        colours: NDArray[np.float32],  # noqa: ARG001 - a sampler's signature
        seed: int,
    ) -> NDArray[np.uint8]:
        rows = np.random.default_rng(seed).integers(0, len(images), len(labels))
        return np.asarray(images[rows])

    return sample


def outcome(told: Mapping[str, Any], undisturbed: Mapping[str, Any], rungs: int) -> Outcome:
    """Say what became of a run.

    Args:
        told: as `one` gives it.
        undisturbed: the run of the same seed and budget with nothing broken.
        rungs: of the watchdog's ladder.
    """
    if sum("went_back_to" in event for event in told["events"]) > rungs:
        return "looped"
    if told["ended"] != "release":
        return "gave up"
    if not all(loss is not None and np.isfinite(loss) for loss in told["losses"].values()):
        return "not finite"
    if told["spread"] is None or told["spread"] <= told["least_spread"]:
        return "poor"
    return "recovered" if told["fd"] is None or told["fd"] <= limit(told, undisturbed) else "poor"


def limit(told: Mapping[str, Any], undisturbed: Mapping[str, Any]) -> float:
    """Return the largest Frechet distance of a run that counts as mended.

    Twice the undisturbed run's; or, where garments were taken away, twice what those that were
    left would reach themselves: no training makes a catalog out of thirty of its garments.
    """
    best = max(undisturbed["fd"] or 0.0, told["fd_of_its_data"] or 0.0)
    return TIMES_UNDISTURBED * best


def summarise(folder: Path) -> dict[str, Any]:
    """Return every finished run with its outcome, and how often each came."""
    found = [told for path in sorted(folder.glob("*.json")) if (told := results.read(path))]
    whole = {told["seed"]: told for told in found if told["fault"] == UNDISTURBED.name}
    runs: Sequence[dict[str, Any]] = [
        {
            **told,
            "went_back": sum("went_back_to" in event for event in told["events"]),
            "limit": limit(told, whole[told["seed"]]),
            "outcome": outcome(told, whole[told["seed"]], len(watchdog.LADDER)),
        }
        for told in found
        if told["seed"] in whole
    ]
    injected = [told for told in runs if told["fault"] != UNDISTURBED.name]
    counts = dict(Counter(told["outcome"] for told in injected))
    return {"injections": len(injected), "outcomes": counts, "runs": runs}


def as_text(table: Mapping[str, Any]) -> str:
    """Return the outcomes in Markdown."""
    lines = [
        "| fault | seed | outcome | went back | spread (least) | fd (limit) |",
        "|---" * 6 + "|",
    ]
    for told in table["runs"]:
        spread = f"{told.get('spread', 0):.1f} ({told.get('least_spread', 0):.1f})"
        distance = "-" if told["fd"] is None else f"{told['fd']:.1f} ({told['limit']:.1f})"
        lines.append(
            f"| {told['fault']} | {told['seed']} | {told['outcome']} | {told['went_back']} "
            f"| {spread} | {distance} |"
        )
    lines.append(f"{table['injections']} injections: {table['outcomes']}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()

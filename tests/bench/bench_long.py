"""One long training: how the quality goes on improving, and when it stops."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from tests.bench import catalogs, engine, judging, plots, results, runs
from worker.gan.recipe import Preset

NEAR = 1.05
"""A run is as good as done when its metric is within this of its best."""


@click.command()
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for results.")
@click.option("--root", default=catalogs.REAL, type=click.Path(path_type=Path), help="Real data.")
@click.option("--data", default="fashion-mnist", type=click.Choice(catalogs.NAMES),
              show_default=True)  # fmt: skip
@click.option("--preset", default="residual", type=click.Choice(engine.PRESETS),
              show_default=True)  # fmt: skip
@click.option("--seed", default=0, show_default=True)
@click.option("--minutes", default=60.0, show_default=True)
@click.option("--n", default=10_000, show_default=True, help="Images measured at the end.")
@click.option("--measured/--unmeasured", default=True, help="Unmeasured: losses alone.")
def main(  # noqa: PLR0913 - one parameter an option is click's way
    *, out: Path, root: Path, data: catalogs.Name, preset: Preset, seed: int, minutes: float,
    n: int, measured: bool,
) -> None:  # fmt: skip
    """Train, or go on training after a cut; then draw the curve."""
    catalog = catalogs.read(data, root=root)
    run = runs.Run(preset, seed, minutes, n)
    judgement = judging.Judgement(catalog, out) if measured else None
    told = runs.do(run, catalog, judgement, out)
    if told is None:
        raise AssertionError("a run that was done has its result")
    name = run.folder(out, catalog).name
    curve = told.get("metric_curve") or []
    figures = judging.read(run.folder(out, catalog) / "figures.json")
    result = {**told, "improvement": improvement(curve), "figures": figures}
    results.write(out / f"long-{name}.json", result)
    if curve:
        plot = plots.curves({name: curve}, across="seconds", up="value", title=name,
                            logarithmic=True)  # fmt: skip
    else:
        plot = plots.curves({name: told["losses"]}, across="images", up="generator", title=name)
    results.write_bytes(out / f"long-{name}.png", plot)
    click.echo(f"{name}: {result['improvement']}")


def improvement(curve: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Return the best reading, when a run first came near it, and the value at each doubling.

    Args:
        curve: readings with `images`, `seconds` and `value` (lower is better), in order.
    """
    if not curve:
        return {}
    best = min(curve, key=lambda reading: reading["value"])
    near = next(reading for reading in curve if reading["value"] <= NEAR * best["value"])
    doublings, due = [], curve[0]["seconds"]
    for reading in curve:
        if reading["seconds"] >= due:
            doublings.append({name: reading[name] for name in ("images", "seconds", "value")})
            due = 2 * reading["seconds"]
    return {"best": dict(best), "near_best_after_seconds": near["seconds"], "doublings": doublings}


if __name__ == "__main__":
    main()

"""What each preset learns in equal time: figures with intervals, and sheets side by side."""

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from tests.bench import catalogs, engine, judging, numbers, plots, results, runs
from tests.bench.catalogs import Catalog
from tests.bench.runs import Run
from worker.gan.recipe import Preset

SHOWN_ROWS, SHOWN_COLUMNS = 12, 6
"""Of each sheet in the picture."""

PLOTTED = ("fd_indomain", "kd_indomain", "prdc_indomain.recall", "condition_accuracy",
           "train_on_generated")  # fmt: skip
"""Families of figures that get a plot each."""


@click.command()
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for results.")
@click.option("--root", default=catalogs.REAL, type=click.Path(path_type=Path), help="Real data.")
@click.option("--data", default="fashion-mnist", type=click.Choice(catalogs.NAMES),
              show_default=True)  # fmt: skip
@click.option("--presets", multiple=True, type=click.Choice(engine.PRESETS),
              default=engine.PRESETS, show_default=True)  # fmt: skip
@click.option("--seeds", default=3, show_default=True, help="Trainings of `residual`; others: 1.")
@click.option("--minutes", default=10.0, show_default=True, help="Of each training.")
@click.option("--n", default=10_000, show_default=True, help="Images measured, ten a test garment "
              "at the most.")  # fmt: skip
@click.option("--sets", default=5, show_default=True, help="Sets of images, for the intervals.")
@click.option("--measured/--unmeasured", default=True, help="Unmeasured: train, measure later.")
@click.option("--summary-only", is_flag=True, help="Train and measure nothing.")
def main(  # noqa: PLR0913 - one parameter an option is click's way
    *, out: Path, root: Path, data: catalogs.Name, presets: tuple[Preset, ...], seeds: int,
    minutes: float, n: int, sets: int, measured: bool, summary_only: bool,
) -> None:  # fmt: skip
    """Train and measure what is not done yet, then summarise all that is."""
    catalog = catalogs.read(data, root=root)
    asked = planned(presets, seeds, Run("residual", 0, minutes, n, sets))
    if not summary_only:
        judgement = judging.Judgement(catalog, out) if measured else None
        for run in asked:
            runs.do(run, catalog, judgement, out)
    click.echo(summarise(asked, catalog, out))


def planned(presets: Sequence[Preset], seeds: int, pattern: Run) -> list[Run]:
    """Return one run a preset and seed; `residual` is what we ship, so its chance is measured."""
    return [
        Run(preset, seed, pattern.minutes, pattern.n, pattern.seeds)
        for preset in presets
        for seed in range(seeds if preset == "residual" else 1)
    ]


def summarise(asked: Sequence[Run], catalog: Catalog, out: Path) -> str:
    """Write the table, the plots and the picture of what is finished; return the table as text."""
    finished = [run for run in asked if (run.folder(out, catalog) / "run.json").exists()]
    if not finished:
        return "Nothing is finished yet."
    name = f"quality-{catalog.name}-{finished[0].minutes:g}min"
    found: dict[str, list[dict[str, Any]]] = {
        preset: _results(finished, preset, catalog, out) for preset in _presets(finished)
    }
    table: dict[str, Any] = {preset: tabulate(of_preset) for preset, of_preset in found.items()}
    results.write(out / f"{name}.json", {"table": table, "runs": found})
    for family in PLOTTED:
        for key in sorted({key for told in table.values() for key in told if _is(key, family)}):
            groups = {p: told[key]["values"] for p, told in table.items() if key in told}
            plot = plots.bars(groups, title=key, logarithmic=family == "fd_indomain")
            results.write_bytes(out / f"{name}-{_file_name(key)}.png", plot)
    results.write_bytes(out / f"{name}-curves.png", _curves(found))
    results.write_bytes(out / f"{name}-sheets.png", picture(finished, catalog, out))
    return as_text(table)


def tabulate(of_preset: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return figure -> summary over a preset's seeds, with each value and the scale beside it.

    Args:
        of_preset: runs' results, each with its `figures`.
    """
    table: dict[str, dict[str, Any]] = {
        "images_per_second": _summary([told["images_per_second"] for told in of_preset]),
        "went_back": _summary([len(told["events"]) for told in of_preset]),
    }
    keys = dict.fromkeys(figure["key"] for told in of_preset for figure in told["figures"])
    for key in keys:
        same = [f for told in of_preset for f in told["figures"] if f["key"] == key]
        values = [figure["value"] for figure in same if figure["value"] is not None]
        if values:
            scale = {edge: same[0].get(edge) for edge in ("floor", "ceiling", "n", "note")}
            intervals = [figure["interval"] for figure in same]
            table[key] = {**_summary(values), **scale, "intervals": intervals}
    return table


def as_text(table: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """Return the table in Markdown: figures down, presets across, medians (low to high)."""
    keys = dict.fromkeys(key for told in table.values() for key in told)
    lines = ["| | " + " | ".join(table) + " | floor | ceiling |"]
    lines.append("|---" * (len(table) + 3) + "|")
    for key in keys:
        cells = [_cell(told.get(key)) for told in table.values()]
        scale = next((told[key] for told in table.values() if key in told), {})
        edges = [_number(scale.get(edge)) for edge in ("floor", "ceiling")]
        lines.append("| " + " | ".join([key, *cells, *edges]) + " |")
    return "\n".join(lines)


def picture(finished: Sequence[Run], catalog: Catalog, out: Path) -> bytes:
    """Return real garments and every finished run's designs, one row a value, as PNG."""
    attribute, values = next(iter(catalog.test.vocabulary.items()))
    sheets = {"real (test)": real_rows(catalog, attribute)}
    for run in finished:
        generator = engine.load(run.folder(out, catalog))
        made = engine.rows_of(generator, SHOWN_COLUMNS, most=SHOWN_ROWS)
        sheets[f"{run.preset} {run.seed}"] = made
    return plots.side_by_side(sheets, values[:SHOWN_ROWS])


def real_rows(catalog: Catalog, attribute: str) -> NDArray[np.uint8]:
    """Return real garments, [values, columns, size, size, channels]; white where there are few."""
    values = catalog.test.vocabulary[attribute][:SHOWN_ROWS]
    shape = (len(values), SHOWN_COLUMNS, *catalog.test.images.shape[1:])
    rows = np.full(shape, 255, np.uint8)
    for row, code in zip(rows, range(len(values)), strict=True):
        places = np.flatnonzero(catalog.test.labels[attribute] == code)[:SHOWN_COLUMNS]
        row[: len(places)] = catalog.test.images[places]
    return rows


def _results(
    finished: Sequence[Run], preset: Preset, catalog: Catalog, out: Path
) -> list[dict[str, Any]]:
    folders = [run.folder(out, catalog) for run in finished if run.preset == preset]
    return [
        {**json.loads((f / "run.json").read_bytes()), "figures": judging.read(f / "figures.json")}
        for f in folders
    ]


def _curves(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> bytes:
    """The metric over images seen; the generator's loss where no metric was read."""
    told = {f"{p} {one['seed']}": one for p, ones in found.items() for one in ones}
    metric = {name: one["metric_curve"] for name, one in told.items() if one.get("metric_curve")}
    if metric:
        return plots.curves(
            metric, across="seconds", up="value", title="fd by A while training", logarithmic=True
        )
    losses = {name: one["losses"] for name, one in told.items()}
    return plots.curves(losses, across="images", up="generator", title="generator loss")


def _presets(finished: Sequence[Run]) -> list[Preset]:
    return list(dict.fromkeys(run.preset for run in finished))


def _summary(values: Sequence[float]) -> dict[str, Any]:
    return {**numbers.summary(values), "values": list(values)}


def _is(key: str, family: str) -> bool:
    return key.partition("[")[0].partition("(")[0] == family


def _file_name(key: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in key)


def _cell(told: Mapping[str, Any] | None) -> str:
    if told is None:
        return "-"
    if told["n"] == 1 or told["low"] == told["high"]:
        return _number(statistics.median(told["values"]))
    return f"{_number(told['median'])} ({_number(told['low'])} to {_number(told['high'])})"


def _number(value: float | None) -> str:
    return "" if value is None else f"{numbers.significant(value, 3):g}"


if __name__ == "__main__":
    main()

"""How soon a taste is learned, by simulated shoppers, and what learning it costs."""

from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from shared.errors import InvalidInputError
from shared.shoppers.files import GARMENTS
from shared.taste import index
from tests.bench import catalogs, machine, numbers, results, taste_simulation, taste_times
from tests.bench.catalogs import NAMES, REAL, Name
from tests.bench.indexed import indexed
from tests.bench.judging import Judgement
from tests.bench.studio import projection
from tests.bench.taste_worlds import Setup, World, synthetic
from worker.gan.checkpoint import unpack
from worker.jobs.indexing import NOVELTY

PARTS = ("simulation", "times")


@click.command()
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for results.")
@click.option("--worlds", default=5, show_default=True, help="Seeds 1, 2, ...; none was tuned on.")
@click.option("--garments", default=4000, show_default=True, help="Of a synthetic catalog.")
@click.option("--index", "index_file", type=click.Path(path_type=Path, exists=True),
              help="A garment index, to rank real garments; needs --hidden.")  # fmt: skip
@click.option("--hidden", type=click.Path(path_type=Path, exists=True),
              help="Their .npy [n, h], another embedding: what tastes are made of.")  # fmt: skip
@click.option("--data", type=click.Choice(NAMES), help="A catalog to rank, as extractor B sees it; "
              "tastes are made of C's features.")  # fmt: skip
@click.option("--root", default=REAL, show_default=True, type=click.Path(path_type=Path),
              help="Where real data lies.")  # fmt: skip
@click.option("--held-out", is_flag=True, help="Rank only garments of --data that no training saw.")
@click.option("--teachers", default=150, show_default=True, help="Shoppers that came before.")
@click.option("--judged", default=100, show_default=True, help="Shoppers of each world.")
@click.option("--dislikes", default=0, show_default=True, help="Told for each like.")
@click.option("--threshold", default=1.0, show_default=True, help="Of liking, in standard "
              "deviations: 1 likes one garment in five.")  # fmt: skip
@click.option("--sharpness", default=3.0, show_default=True, help="Less is more chance in likes.")
@click.option("--large", default=100_000, show_default=True, help="Garments to time a search in.")
@click.option("--repeats", default=15, show_default=True, help="Of each timed step.")
@click.option("--parts", multiple=True, type=click.Choice(PARTS), default=PARTS,
              show_default=True)  # fmt: skip
def main(  # noqa: PLR0913 - one parameter an option is click's way
    *, out: Path, worlds: int, garments: int, index_file: Path | None, hidden: Path | None,
    data: Any, root: Path, held_out: bool, teachers: int, judged: int, dislikes: int,
    threshold: float, sharpness: float, large: int, repeats: int, parts: tuple[str, ...],
) -> None:  # fmt: skip
    """Simulate shoppers of synthetic or real garments, and time the steps."""
    real = None if index_file is None else read(index_file, hidden)
    name = "synthetic" if index_file is None else index_file.stem
    ranked = None
    if data is not None:
        real, tested = of_catalog(data, root, out, most=garments)
        name, ranked = f"{data}{'-held-out' if held_out else ''}", tested if held_out else None
    if "simulation" in parts:
        setup = Setup(
            teachers=teachers, judged=judged, dislikes=dislikes, threshold=threshold,
            sharpness=sharpness,
        )  # fmt: skip
        told = simulated(worlds, garments, real, setup, ranked)
        results.write(out / f"taste-{name}-{dislikes}-dislikes-{threshold:g}.json", told)
        click.echo(taste_simulation.as_text(told["table"]))
    if "times" in parts:
        small = (real or synthetic(1, garments)).items
        wide = taste_times.repeated(small, large)
        times = taste_times.measure(small, wide, repeats=repeats)
        results.write(out / f"taste-{name}-times.json", {"ms": times, "machine": machine.facts()})
        click.echo("\n".join(f"{ms['median']:9.2f} ms  {step}" for step, ms in times.items()))


def read(index_file: Path, hidden: Path | None) -> World:
    """Read real garments and the embedding that tastes are made of, standardised.

    Raises:
        InvalidInputError: the embedding is not given, or does not fit the garments.
    """
    items = index.read(index_file.read_bytes())
    if hidden is None:
        raise InvalidInputError("Real garments need --hidden: what the ranker does not see.")
    rows = np.load(hidden, allow_pickle=False).astype(np.float64)
    if rows.shape[:1] != (len(items),) or rows.ndim != 2:
        raise InvalidInputError(f"{hidden} has shape {rows.shape}; expected [{len(items)}, h].")
    spread = np.maximum(rows.std(0), 1e-9)
    return World(items, (rows - rows.mean(0)) / spread)


def of_catalog(data: Name, root: Path, out: Path, *, most: int) -> tuple[World, NDArray[np.bool_]]:
    """Index a catalog; returns at most so many garments, and which were held out of training."""
    catalog = catalogs.read(data, root=root)
    found = indexed(catalog, Judgement(catalog, out), out)
    items = index.read((found.folder / GARMENTS).read_bytes())
    plain = unpack((found.folder / NOVELTY).read_bytes())["plain"].astype(np.float32)
    rows = np.arange(0, len(items), max(1, len(items) // most))
    hidden = projection(plain[rows])(plain[rows])
    return World(items.take(rows), hidden), found.held_out[rows]


def simulated(
    worlds: int,
    garments: int,
    real: World | None,
    setup: Setup,
    held_out: NDArray[np.bool_] | None = None,
) -> dict[str, Any]:
    """Simulate so many worlds; of real garments, so many populations of shoppers."""
    found = []
    for seed in range(1, worlds + 1):
        world = real or synthetic(seed, garments)
        told = taste_simulation.simulate(
            world.items, world.hidden, seed=seed, setup=setup, held_out=held_out
        )
        found.append(told)
    return {
        "table": taste_simulation.summarise(found, seed=0),
        "setup": numbers.plain(vars(setup)),
        "worlds": worlds,
        "tuned_on": taste_simulation.TUNED_ON,
        "machine": machine.facts(),
    }


if __name__ == "__main__":
    main()

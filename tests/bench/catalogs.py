"""The catalogs that are measured on, each with garments that no training sees."""

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from shared.errors import InvalidInputError
from tests.bench.machine import ROOT
from worker.gan import sources
from worker.gan.data import Dataset
from worker.pictures.colours import measure_colours

Name = Literal["fashion-mnist", "product-shots", "clothing", "drawn"]

NAMES: Final[tuple[Name, ...]] = get_args(Name)

REAL: Final = ROOT.parent / "shared" / "data"
"""Where real data lies beside the project; its README says what and under which licence."""

SIZE: Final = 64
"""Side in px of the catalogs that come as photos."""

LEAST_OF_A_VALUE: Final = 20
"""Rarer categories stay in as garments whose category is unknown."""

TEST_SHARE, LEAST_TESTED = 0.1, 200

RGB: Final = 3

SECOND_COLOUR: Final = 0.12
"""Share of a garment from which its next colour counts as its second."""

Columns = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Catalog:
    """What a run learns from, and what it is reported on.

    Attributes:
        name: of the catalog.
        train: for learning, and for everything that is chosen on the way.
        test: for the report alone; nothing is ever chosen by it.
    """

    name: Name
    train: Dataset
    test: Dataset


def read(name: Name, *, root: Path = REAL) -> Catalog:
    """Read a catalog by its name.

    Raises:
        InvalidInputError: its files are not there.
    """
    if name == "drawn":
        return drawn()
    folder = root / name
    if not folder.is_dir():
        raise InvalidInputError(
            f"{folder} does not exist. Name the folder that holds {name}/ with --root, "
            "or measure on `--data drawn`."
        )
    return _fashion_mnist(folder) if name == "fashion-mnist" else _photos(name, folder)


def drawn(*, train: int = 96, test: int = 40, size: int = 16, channels: int = 1) -> Catalog:
    """Return upright and flat bars on white: for trying the benchmarks themselves, in seconds."""
    draw = np.random.default_rng(0)
    kind = draw.integers(0, 2, train + test)
    images = np.full((train + test, size, size, channels), 255, np.uint8)
    for image, upright in zip(images, kind, strict=True):
        edge = int(draw.integers(3, 6))
        bar = image[:, edge:-edge] if upright else image[edge:-edge]
        bar[...] = draw.integers(0, 120, channels)
    columns = {"category": [("flat", "upright")[k] for k in kind]}
    return _divided("drawn", images, columns, np.arange(train + test) >= train)


def _fashion_mnist(folder: Path) -> Catalog:
    train = sources.read(folder)
    images, columns = sources._read_idx(next(folder.glob("t10k-images*")))
    test = sources.build(images, columns)
    return Catalog("fashion-mnist", train, test)


def _photos(name: Name, folder: Path) -> Catalog:
    """Read labels.csv and its pictures, whole in a white square; only the category is a label."""
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    images = np.stack([sources._picture(folder / row["image"], SIZE) for row in rows])
    columns = {"category": common([row["category"] for row in rows])}
    return _divided(name, images, columns, chosen_for_test(len(rows)))


def common(values: Sequence[str], least: int = LEAST_OF_A_VALUE) -> list[str]:
    """Return the values with those that occur less than `least` times made unknown ("")."""
    counts = Counter(values)
    return [value if counts[value] >= least else "" for value in values]


def chosen_for_test(count: int) -> NDArray[np.bool_]:
    """Return which of so many garments are kept from training: a tenth, 200 at the least."""
    kept = max(LEAST_TESTED, round(TEST_SHARE * count))
    chosen = np.zeros(count, np.bool_)
    chosen[np.random.default_rng(0).permutation(count)[:kept]] = True
    return chosen


def _divided(
    name: Name, images: NDArray[np.uint8], columns: Columns, tested: NDArray[np.bool_]
) -> Catalog:
    """Build one dataset, so that both parts share its vocabulary, then part it."""
    built = sources.build(images, columns)
    coloured = images.shape[3] == RGB and "colours" in {field.name for field in fields(Dataset)}
    colours = palettes(images) if coloured else None
    return Catalog(name, _part(built, ~tested, colours), _part(built, tested, colours))


def _part(built: Dataset, rows: NDArray[np.bool_], colours: NDArray[np.float32] | None) -> Dataset:
    more: dict[str, Any] = {} if colours is None else {"colours": colours[rows]}
    return Dataset(
        built.images[rows],
        {name: column[rows] for name, column in built.labels.items()},
        built.vocabulary,
        f"{built.fingerprint}-{int(rows.sum())}",
        **more,
    )


def palettes(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Measure CIELAB [n, 2, 3] of RGB images: the main colour, and a second one or NaN."""
    colours = np.full((len(images), 2, 3), np.nan, np.float32)
    for row, found in zip(colours, measure_colours(images), strict=True):
        main, *others = found.palette
        row[0] = main.lightness, main.a, main.b
        for second in others[:1]:
            if second.weight >= SECOND_COLOUR:
                row[1] = second.lightness, second.a, second.b
    return colours

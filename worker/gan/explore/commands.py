"""What the command line offers on a release: `invert`, `directions` and `export`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from worker.gan.explore.inversion import Inversion
    from worker.gan.explore.ports import Painter

KINDS: Final = ("savedmodel", "onnx", "tflite")
"""Those of `formats`, which loads TensorFlow and so is not asked before a command runs."""

_release = click.option(
    "--release", required=True, type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder with generator.npz and generator.json.",
)  # fmt: skip


@click.command()
@_release
@click.option("--image", "images", required=True, multiple=True,
              type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="A picture; may be repeated.")  # fmt: skip
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False))
@click.option("--condition", "wishes", multiple=True,
              help="attribute=value, for all pictures; what is not given is tried.")  # fmt: skip
@click.option("--neighbour-distance", type=float,
              help="Typical distance of a garment of the catalog from the one most like it, in "
              "grey levels; errors are told as shares of it.")  # fmt: skip
@click.option("--encoder-steps", default=1000, show_default=True)
@click.option("--steps", default=300, show_default=True, help="Updates of each latent.")
@click.option("--seed", default=0, show_default=True)
@click.option("--scale", default=4, show_default=True, help="Times each pixel is repeated.")
def invert(  # noqa: PLR0913 - one parameter an option is click's way
    *, release: Path, images: tuple[Path, ...], out: Path, wishes: tuple[str, ...],
    neighbour_distance: float | None, encoder_steps: int, steps: int, seed: int, scale: int,
) -> None:  # fmt: skip
    """Find how a release would paint given pictures: original and painting as PNG, and JSON."""
    import numpy as np

    from worker.gan.explore import pictures, ports
    from worker.gan.explore.inversion import Effort, Inverter

    painter = ports.load(ports.read_files(release))
    read = [pictures.read(file) for file in images]
    labels, asked = ports.coded(painter, [wishes_of(wishes)] * len(read))
    colours = None if np.isnan(asked).all() else asked
    effort = Effort(encoder_steps=encoder_steps, steps=steps)
    inverter = Inverter.fit(painter, effort=effort, seed=seed)
    found = inverter.invert(
        read, labels=labels, colours=colours, neighbour_distance=neighbour_distance
    )
    out.mkdir(parents=True, exist_ok=True)
    for row, file in enumerate(images):
        told = {
            "image": file.name,
            "pixels": [read[row].shape[1], read[row].shape[0]],
            **_told(painter, found, row),
            "seed": seed,
        }
        _write_pair(found, row, out / f"{row:02d}-{file.stem}", told, scale)
        click.echo(f"{file.name}: {_sentence(told)}")


@click.command()
@_release
@click.option("--number", default=0, show_default=True, help="0 is the strongest direction.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A PNG file.")
@click.option("--condition", "wishes", multiple=True, help="attribute=value; may be repeated.")
@click.option("--rows", default=8, show_default=True, help="Designs, one a row.")
@click.option("--seed", default=0, show_default=True, help="Of the first design.")
@click.option("--reach", default=3.0, show_default=True, help="Of the outer columns.")
@click.option("--steps", default=7, show_default=True, help="Columns; odd.")
@click.option("--scale", default=2, show_default=True, help="Times each pixel is repeated.")
def directions(  # noqa: PLR0913 - one parameter an option is click's way
    *, release: Path, number: int, out: Path, wishes: tuple[str, ...], rows: int, seed: int,
    reach: float, steps: int, scale: int,
) -> None:  # fmt: skip
    """Write designs moved along an edit direction, one row a seed."""
    from worker.gan import grid
    from worker.gan.explore import directions as edits
    from worker.gan.explore import ports

    painter = ports.load(ports.read_files(release))
    known = edits.find(painter)
    seeds = range(seed, seed + rows)
    sheet = edits.strip(painter, known[number], seeds, wishes_of(wishes), reach=reach, steps=steps)
    out.write_bytes(grid.png(sheet, scale=scale))
    click.echo(
        f"Direction {number} of {len(known)}, strength {known.strengths[number]:.2f} "
        f"(the strongest: {known.strengths[0]:.2f}): {out}"
    )


@click.command()
@_release
@click.option("--format", "kind", required=True, type=click.Choice(KINDS))
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False))
@click.option("--limit", default=1e-4, show_default=True,
              help="Largest difference from Keras that is let through, in [-1, 1].")  # fmt: skip
def export(*, release: Path, kind: str, out: Path, limit: float) -> None:
    """Write a release as a model that runs without Toile, checked against Keras."""
    from worker.gan.explore import ports
    from worker.gan.explore.export import export as run

    made = run(ports.read_files(release), kind, out, limit=limit)
    click.echo(f"{made.path}, within {made.difference:.1e} of Keras; told in {made.description}")


commands: Final[tuple[click.Command, ...]] = (invert, directions, export)
"""For `python -m worker.gan`."""


def _told(painter: "Painter", found: "Inversion", row: int) -> dict[str, Any]:
    shares = found.shares
    return {
        "fitted_to": [found.originals.shape[2], found.originals.shape[1]],
        "condition": {
            name: values[code]
            for (name, values), code in zip(
                painter.vocabulary.items(), found.labels[row].tolist(), strict=True
            )
            if code >= 0
        },
        "colours": [
            None if any(part != part for part in colour) else colour  # noqa: PLR0124 - NaN
            for colour in found.colours[row].tolist()
        ],
        "error_grey_levels": round(float(found.errors[row]), 3),
        "share_of_neighbour_distance": None if shares is None else round(float(shares[row]), 4),
        "latent_length": round(float(found.lengths[row]), 4),
        "latent": found.latents[row].tolist(),
    }


def _write_pair(
    found: "Inversion", row: int, stem: Path, told: Mapping[str, Any], scale: int
) -> None:
    import numpy as np

    from worker.gan import grid

    pair = np.concatenate([found.originals[row], found.images[row]], axis=1)
    stem.with_name(stem.name + ".png").write_bytes(grid.png(pair, scale=scale))
    stem.with_name(stem.name + ".json").write_text(json.dumps(told, indent=1))


def _sentence(told: Mapping[str, Any]) -> str:
    asked = ", ".join(f"{name} {value}" for name, value in told["condition"].items())
    share = told["share_of_neighbour_distance"]
    beside = "" if share is None else f" ({share:.0%} of the distance between neighbours)"
    error = told["error_grey_levels"]
    return f"painted as {asked or 'it is'}, {error} grey levels off{beside}"


def wishes_of(texts: tuple[str, ...]) -> dict[str, str]:
    """Read a condition from `attribute=value` texts."""
    return dict(_wish(text) for text in texts)


def _wish(text: str) -> tuple[str, str]:
    attribute, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text!r} is not attribute=value.")
    return attribute, value

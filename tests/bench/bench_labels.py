"""How right measured patterns are on drawn garments, and how well styles keep their numbers."""

import time
from collections import Counter
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from shared.demo import shapes
from tests.bench import machine, results
from worker.labels.filling import fill
from worker.labels.styles import Earlier, Styles, find_styles
from worker.pictures.patterns import measure_patterns

Floats = NDArray[np.float32]
Codes = NDArray[np.int64]

_DRAWN_AS = {"floral": "printed"}
_SIDE = 160


@click.command()
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for results.")
@click.option("--drawn", default=600, show_default=True, help="Garments drawn for patterns.")
@click.option("--embeddings", type=click.Path(path_type=Path, exists=True),
              help=".npy [n, d]: garments as one encoder sees them.")  # fmt: skip
@click.option("--other", type=click.Path(path_type=Path, exists=True),
              help=".npy [n, d]: the same garments as another encoder sees them.")  # fmt: skip
@click.option("--labels", type=click.Path(path_type=Path, exists=True),
              help=".npy int [n]: an attribute, of which 3 in 10 are taken away.")  # fmt: skip
@click.option("--rounds", default=3, show_default=True, help="Draws of what came first.")
def main(
    *, out: Path, drawn: int, embeddings: Path | None, other: Path | None, labels: Path | None,
    rounds: int,
) -> None:  # fmt: skip
    """Measure patterns of drawn garments; with embeddings, styles and predictions too."""
    told: dict[str, Any] = {"patterns": patterns(drawn), **machine.load()}
    if embeddings is not None:
        seen = np.load(embeddings, allow_pickle=False).astype(np.float32)
        views = {"same": seen}
        if other is not None:
            views["other"] = np.load(other, allow_pickle=False).astype(np.float32)
        told["styles"] = {
            name: [grown(seen, view, seed=seed) for seed in range(rounds)]
            for name, view in views.items()
        }
        if labels is not None:
            told["prediction"] = predicted(seen, np.load(labels, allow_pickle=False))
    results.write(out / "labels.json", {**told, "machine": machine.facts()})
    click.echo(as_text(told))


def patterns(count: int) -> dict[str, Any]:
    """Measure drawn garments; returns what was told of each drawn pattern."""
    rng = np.random.default_rng(3)
    pictures, truth = [], []
    for _ in range(count):
        category, pattern, colour = (
            str(rng.choice(list(names)))
            for names in (shapes.SILHOUETTES, shapes.PATTERNS, shapes.CLOTHS)
        )
        pictures.append(np.asarray(shapes.draw(category, pattern, colour, rng, size=_SIDE)))
        truth.append(_DRAWN_AS.get(pattern, pattern))
    started = time.process_time()
    found = measure_patterns(np.stack(pictures))
    seconds = time.process_time() - started
    pairs = Counter(zip(truth, found, strict=True))
    told = sum(number for (_, one), number in pairs.items() if one is not None)
    return {
        "garments": count,
        "told": told,
        "right": sum(number for (drawn, one), number in pairs.items() if drawn == one),
        "processor_ms_each": 1000 * seconds / count,
        "table": {f"{drawn} told {one}": number for (drawn, one), number in pairs.items()},
    }


def grown(first: Floats, later: Floats, *, seed: int, more: float = 0.1) -> dict[str, Any]:
    """Find styles of a part of the garments, then of all, and see who kept theirs.

    Args:
        first: float32 [n, d], as the encoder sees them to begin with.
        later: float32 [n, d'], as an encoder sees them when more have come.
        seed: draws the part, and both searches.
        more: garments that come, of those that there were.
    """
    count = len(first)
    part = np.sort(np.random.default_rng(seed).permutation(count)[: round(count / (1 + more))])
    before = _found(first[part], None, seed)
    had = np.full(count, -1)
    had[part] = before.numbers
    since = {style.number: style.since for style in before.styles}
    started = time.process_time()
    after = _found(later, Earlier(had, before.next_number, before.chosen_for, since), seed + 1000)
    return {
        "from": len(part),
        "to": count,
        "styles": [len(before.styles), len(after.styles)],
        "kept": float((after.numbers[had >= 0] == had[had >= 0]).mean()),
        "without": float((after.numbers < 0).mean()),
        "likeness": float(after.alike.mean()),
        "processor_seconds": time.process_time() - started,
    }


def _found(embeddings: Floats, earlier: Earlier | None, seed: int) -> Styles:
    found = find_styles(embeddings, earlier=earlier, version=1, seed=seed)
    if found is None:
        raise click.ClickException(f"{len(embeddings)} garments are too few for styles.")
    return found


def predicted(embeddings: Floats, labels: Codes) -> dict[str, Any]:
    """Take away 3 labels in 10, predict them, and count how many come out right."""
    values, codes = np.unique(labels, return_inverse=True)
    missing = np.random.default_rng(0).random(len(codes)) < 0.3
    styles = _found(embeddings, None, 0).numbers
    found = fill(
        embeddings, np.where(missing, -1, codes), missing, values=len(values), styles=styles,
        limit=0.8,
    )  # fmt: skip
    told = found.codes >= 0
    return {
        "accuracy": found.accuracy,
        "majority": found.majority,
        "reason": found.reason,
        "sure": found.kept,
        "sure_right": found.right,
        "filled": int(told.sum()),
        "of": int(missing.sum()),
        "filled_right": float((found.codes[told] == codes[told]).mean()) if told.any() else None,
    }


def as_text(told: dict[str, Any]) -> str:
    """Return the results as lines for people."""
    found = told["patterns"]
    lines = [f"patterns: {found['told']} of {found['garments']} told, {found['right']} right"]
    for name, rounds in told.get("styles", {}).items():
        kept = ", ".join(f"{one['kept']:.1%}" for one in rounds)
        lines.append(f"styles, {name} encoder: {kept} kept")
    if "prediction" in told:
        one = told["prediction"]
        lines.append(
            f"prediction: {one['accuracy']:.1%} right, {one['filled']} of {one['of']} filled"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()

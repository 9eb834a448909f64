"""Exporting a release: written, run again, compared with Keras, and described."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from shared.errors import ConflictError, ExportRefusedError, InvalidInputError
from worker.gan import latents
from worker.gan.explore.formats import FORMATS, OPSET, Exportable, Format
from worker.gan.explore.ports import Painter, load

LIMIT = 1e-4
"""Of the difference from Keras in [-1, 1]. Float32 sums in another order differ by about 1e-6; a
whole grey level is 8e-3."""

BATCHES = (16, 5, 1)
"""Checked, so that no batch size is baked in."""

DESCRIPTION = "export.json"


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        path: the model, a file or a folder.
        description: the JSON beside it.
        difference: the largest from Keras' own output, in [-1, 1].
    """

    path: Path
    description: Path
    difference: float


def export(
    files: Mapping[str, bytes], kind: str, folder: Path, *, limit: float = LIMIT
) -> Exported:
    """Write a release as a model that runs without Toile, checked against Keras.

    Nothing is left in `folder` when this fails. Inputs are "latents" float32 [n, latent], "labels"
    int32 [n, attributes] where there are any, and "colours" float32 CIELAB [n, slots, 3] where the
    release has them; the result is "images" float32 [n, size, size, channels] in [-1, 1].

    Args:
        files: the release's generator.npz and generator.json.
        kind: "savedmodel", "onnx" or "tflite".
        folder: is made where it is not there; several kinds may share it.
        limit: the largest difference that is let through.

    Raises:
        InvalidInputError: there is no such kind.
        ConflictError: that kind is in the folder already.
        LibraryMissingError: ONNX without the `export` extra.
        ReleaseCorruptError: the release cannot be read.
        ExportRefusedError: the exported model paints something else.
    """
    if kind not in FORMATS:
        raise InvalidInputError(
            f"There is no export format {kind!r}. Choose one of: {', '.join(FORMATS)}.",
            allowed=list(FORMATS),
        )
    chosen = FORMATS[kind]
    chosen.check_libraries()
    target, description = folder / chosen.target, folder / f"{kind}-{DESCRIPTION}"
    if target.exists() or description.exists():
        raise ConflictError(f"{target} is there already. Remove it, or name another folder.")
    painter = load(files)
    folder.mkdir(parents=True, exist_ok=True)
    # Beside its target, so that the moves at the end stay on one disk.
    with tempfile.TemporaryDirectory(dir=folder, prefix=".partial-") as beside:
        written = Path(beside) / chosen.target
        difference = _write(painter, chosen, written, limit)
        told = _describe(painter, files, kind, written, difference, limit)
        shutil.move(written, target)
    description.write_text(json.dumps(told, indent=1))
    return Exported(target, description, difference)


def compare(model: Exportable, run: Any, painter: Painter) -> float:
    """Return the largest difference of an exported model from Keras, on fixed inputs."""
    worst = 0.0
    for count in BATCHES:
        inputs = fixed_inputs(painter, count)
        wanted, made = model.run(inputs), np.asarray(run(inputs))
        if made.shape != wanted.shape or not np.isfinite(made).all():
            return float("inf")
        worst = max(worst, float(np.abs(made - wanted).max()))
    return worst


def fixed_inputs(painter: Painter, count: int) -> dict[str, NDArray[Any]]:
    """Return inputs by name: the latents of seeds 0.., every label in turn, some unknown."""
    turns = np.arange(count)
    inputs: dict[str, NDArray[Any]] = {"latents": latents.draw(range(count), painter.latent)}
    if painter.vocabulary:
        counts = [len(values) for values in painter.vocabulary.values()]
        inputs["labels"] = np.stack([turns % (c + 1) - 1 for c in counts], 1).astype(np.int32)
    if painter.slots:
        draw = np.random.default_rng(0)
        colours = draw.uniform([0, -60, -60], [100, 60, 60], (count, painter.slots, 3))
        colours[turns % 3 == 0, 0] = np.nan
        colours[turns % 2 == 0, 1:] = np.nan
        inputs["colours"] = colours.astype(np.float32)
    return inputs


def _write(painter: Painter, chosen: Format, path: Path, limit: float) -> float:
    model = Exportable(painter)
    chosen.write(model, path)
    difference = compare(model, chosen.load(path), painter)
    if not difference <= limit:
        raise ExportRefusedError(
            f"The exported model differs from the release by up to {difference:.2g} (images are "
            f"from -1 to 1); at most {limit:g} is let through. Nothing was written. Export in "
            "another format, or allow more.",
            difference=difference,
            limit=limit,
        )
    return difference


def _describe(
    painter: Painter,
    files: Mapping[str, bytes],
    kind: str,
    written: Path,
    difference: float,
    limit: float,
) -> dict[str, Any]:
    return {
        "format": 1,
        "kind": kind,
        "reader": FORMATS[kind].reader,
        "inputs": _inputs(painter),
        "outputs": {
            "images": {
                "type": "float32",
                "shape": ["n", painter.size, painter.size, painter.channels],
                "range": "-1 (black) to 1 (white); a grey level is (x + 1) * 127.5",
            }
        },
        "vocabulary": {name: list(values) for name, values in painter.vocabulary.items()},
        "largest_difference": difference,
        "difference_allowed": limit,
        "compared_on": {"batches": list(BATCHES), "seeds": "0 upward"},
        "sha256": dict(_hashes(written)),
        "release_sha256": {n: hashlib.sha256(c).hexdigest() for n, c in sorted(files.items())},
        "versions": _versions(kind),
    }


def _inputs(painter: Painter) -> dict[str, Any]:
    told: dict[str, Any] = {
        "latents": {
            "type": "float32",
            "shape": ["n", painter.latent],
            "range": "standard normal; multiplied by less than 1, more ordinary",
        }
    }
    if painter.vocabulary:
        told["labels"] = {
            "type": "int32",
            "shape": ["n", len(painter.vocabulary)],
            "range": "a value's place in its attribute's vocabulary, from 0; -1 unknown",
            "columns": list(painter.vocabulary),
        }
    if painter.slots:
        told["colours"] = {
            "type": "float32",
            "shape": ["n", painter.slots, 3],
            "range": "CIELAB (D65), main colour first: L 0..100, a and b -128..127; NaN unknown",
        }
    return told


def _hashes(written: Path) -> Iterator[tuple[str, str]]:
    if written.is_file():
        yield written.name, hashlib.sha256(written.read_bytes()).hexdigest()
        return
    for file in sorted(f for f in written.rglob("*") if f.is_file()):
        name = f"{written.name}/{file.relative_to(written).as_posix()}"
        yield name, hashlib.sha256(file.read_bytes()).hexdigest()


def _versions(kind: str) -> dict[str, Any]:
    libraries = {name: version(name) for name in ("toile", "keras", *FORMATS[kind].needs)}
    opset = {"opset": OPSET} if kind == "onnx" else {}
    return {**libraries, "tensorflow": str(tf.__version__), **opset}

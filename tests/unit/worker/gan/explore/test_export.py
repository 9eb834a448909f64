import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from shared.errors import (
    ConflictError,
    ExportRefusedError,
    InvalidInputError,
    LibraryMissingError,
    ReleaseCorruptError,
)
from tests.unit.worker.gan.explore.conftest import MakePainter
from worker.gan import grid
from worker.gan.anatomy import Anatomy
from worker.gan.combinations import Combinations
from worker.gan.explore import ports
from worker.gan.explore.commands import KINDS
from worker.gan.explore.export import compare, export, fixed_inputs
from worker.gan.explore.formats import FORMATS, Exportable
from worker.gan.frame import Frame
from worker.gan.networks.registry import PRESETS, build_generator
from worker.gan.progress import Progress
from worker.gan.recipe import Hyperparameters
from worker.gan.release import Generator, TrainedRelease

NEEDS = "the `export` extra is not installed"


@pytest.fixture(scope="module")
def files(trained: tuple[TrainedRelease, list[Progress], Path]) -> dict[str, bytes]:
    made = trained[0].files()
    return {name: made[name] for name in ports.FILES}


def need(kind: str) -> None:
    for library in FORMATS[kind].needs:
        pytest.importorskip(library, reason=NEEDS)


def test_the_command_line_offers_the_formats_there_are() -> None:
    assert tuple(FORMATS) == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_a_release_is_exported_checked_and_described(
    files: dict[str, bytes], kind: str, tmp_path: Path
) -> None:
    need(kind)
    made = export(files, kind, tmp_path / "out")
    assert made.difference < 1e-5
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(
        [made.path.name, made.description.name]
    )
    told = json.loads(made.description.read_text())
    assert told["kind"] == kind
    assert told["inputs"]["latents"]["shape"] == ["n", 8]
    assert told["inputs"]["labels"]["columns"] == ["shape", "shade"]
    assert "colours" not in told["inputs"]
    assert told["outputs"]["images"]["shape"] == ["n", 16, 16, 3]
    assert told["vocabulary"] == {"shape": ["upright", "flat"], "shade": ["dark", "light"]}
    assert told["largest_difference"] == made.difference
    assert told["release_sha256"] == {
        name: hashlib.sha256(content).hexdigest() for name, content in files.items()
    }
    for name, digest in told["sha256"].items():
        content = (tmp_path / "out" / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_exported_paints_as_the_release_does(
    files: dict[str, bytes], kind: str, tmp_path: Path
) -> None:
    need(kind)
    made = export(files, kind, tmp_path)
    painter = ports.load(files)
    inputs = fixed_inputs(painter, 7)
    images = FORMATS[kind].load(made.path)(inputs)
    wanted = painter.paint(inputs["latents"], inputs["labels"], ports.unknown_colours(7, 0))
    assert np.abs(grid.to_bytes(images).astype(int) - wanted.astype(int)).max() <= 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("vocabulary", [None, {}])
def test_colours_and_unknown_ones_pass_through_every_format(
    small_painter: MakePainter,
    kind: str,
    vocabulary: dict[str, tuple[str, ...]] | None,
    tmp_path: Path,
) -> None:
    need(kind)
    painter = small_painter(vocabulary=vocabulary, slots=2)
    inputs = fixed_inputs(painter, 4)
    assert np.isnan(inputs["colours"]).any()
    assert ("labels" in inputs) == (vocabulary is None)
    model = Exportable(painter)
    FORMATS[kind].write(model, tmp_path / "model")
    run = FORMATS[kind].load(tmp_path / "model")
    assert compare(model, run, painter) < 1e-5
    plain = run({**inputs, "colours": np.full((4, 2, 3), np.nan, np.float32)})
    assert np.abs(plain - run(inputs)).max() > 0.01


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_every_preset_passes_through_every_format(
    tiny: Hyperparameters, preset: str, kind: str, tmp_path: Path
) -> None:
    need(kind)
    known = Combinations.of(np.array([[0, 1], [1, 2]], np.int32))
    vocabulary = {"shape": ("upright", "flat"), "shade": ("dark", "light", "pale")}
    anatomy = Anatomy(preset, tiny, Frame(16, 12), 3, vocabulary, 2, known)
    generator = Generator(build_generator(preset, tiny, anatomy.shape, seed=1), anatomy)
    model = Exportable(generator)
    FORMATS[kind].write(model, tmp_path / "model")
    assert compare(model, FORMATS[kind].load(tmp_path / "model"), generator) < 1e-5


def test_several_kinds_share_a_folder_and_none_is_overwritten(
    files: dict[str, bytes], tmp_path: Path
) -> None:
    export(files, "savedmodel", tmp_path)
    export(files, "tflite", tmp_path)
    with pytest.raises(ConflictError, match="is there already"):
        export(files, "tflite", tmp_path)


def test_a_model_that_paints_something_else_is_refused_and_not_left_behind(
    files: dict[str, bytes], tmp_path: Path
) -> None:
    with pytest.raises(ExportRefusedError, match="Nothing was written") as told:
        export(files, "savedmodel", tmp_path / "out", limit=-1.0)
    assert told.value.details["limit"] == -1.0
    assert list((tmp_path / "out").iterdir()) == []


def test_numbers_that_are_none_never_pass(small_painter: MakePainter) -> None:
    painter = small_painter()
    model = Exportable(painter)
    assert compare(model, lambda i: np.full_like(model.run(i), np.nan), painter) == float("inf")
    assert compare(model, lambda i: model.run(i)[:1], painter) == float("inf")


def test_a_missing_library_is_told_with_how_to_install_it(
    files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(LibraryMissingError, match=r"pip install 'toile\[export\]'"):
        export(files, "onnx", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_unknown_kind_is_refused_with_the_known_ones(
    files: dict[str, bytes], tmp_path: Path
) -> None:
    with pytest.raises(InvalidInputError, match="savedmodel, onnx, tflite"):
        export(files, "torch", tmp_path)


def test_a_damaged_release_is_not_exported(files: dict[str, bytes], tmp_path: Path) -> None:
    with pytest.raises(ReleaseCorruptError):
        export({**files, "generator.npz": b""}, "savedmodel", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_saved_model_names_its_inputs_and_output(files: dict[str, bytes], tmp_path: Path) -> None:
    made = export(files, "savedmodel", tmp_path)
    signature = tf.saved_model.load(str(made.path)).signatures["serving_default"]
    assert sorted(signature.structured_input_signature[1]) == ["labels", "latents"]
    assert list(signature.structured_outputs) == ["images"]

"""The formats that a release can be exported in: how each is written, and how it is run again."""

import importlib
import io
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from shared.errors import LibraryMissingError
from worker.gan.explore.ports import Painter

OPSET: Final = 17
"""Of ONNX: the oldest that tf2onnx writes our layers in without detours, so that old runtimes
read it as well."""

SIGNATURE: Final = "serving_default"

Inputs = Mapping[str, NDArray[Any]]
Run = Callable[[Inputs], NDArray[np.float32]]


class Exportable(tf.Module):
    """A generator with plain, named inputs, and only those that the release has a use for."""

    def __init__(self, painter: Painter) -> None:
        super().__init__()
        # The variables, and not the network: Keras would add signatures of its own, which call
        # the network with one argument and fail.
        self.held = [variable.value for variable in painter.network.variables]
        self.specs = _specs(painter)
        paint = _named(painter, [spec.name for spec in self.specs])
        self.paint = tf.function(paint, input_signature=self.specs)

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        """Run the network as it is, in Keras: what every format is compared with."""
        made: NDArray[np.float32] = self.paint(*(inputs[s.name] for s in self.specs)).numpy()
        return made


@dataclass(frozen=True)
class Format:
    """One way to write a generator.

    Attributes:
        target: name of the file or folder that is written.
        write: writes an exportable to a path.
        load: reads a path, and returns what runs it.
        needs: libraries of the `export` extra.
        reader: who reads it, for the description beside it.
    """

    target: str
    write: Callable[[Exportable, Path], None]
    load: Callable[[Path], Run]
    reader: str
    needs: tuple[str, ...] = ()

    def check_libraries(self) -> None:
        """See that the libraries of this format are there.

        Raises:
            LibraryMissingError: one is not installed.
        """
        for name in self.needs:
            try:
                importlib.import_module(name)
            except ImportError as problem:
                raise LibraryMissingError(
                    f"{self.reader} needs {' and '.join(self.needs)}; {name} cannot be loaded "
                    f"({problem}). Install them with: pip install 'toile[export]'",
                    libraries=list(self.needs),
                ) from problem


def _specs(painter: Painter) -> list[Any]:
    specs = [tf.TensorSpec((None, painter.latent), tf.float32, name="latents")]
    if painter.vocabulary:
        specs.append(tf.TensorSpec((None, len(painter.vocabulary)), tf.int32, name="labels"))
    if painter.slots:
        specs.append(tf.TensorSpec((None, painter.slots, 3), tf.float32, name="colours"))
    return specs


def _named(painter: Painter, names: Sequence[str]) -> Callable[..., tf.Tensor]:
    """Return the network as a function of the inputs that it has a use for, in their order."""

    def paint(*values: tf.Tensor) -> tf.Tensor:
        given = dict(zip(names, values, strict=True))
        count = tf.shape(given["latents"])[0]
        labels = given.get("labels", tf.zeros((count, 0), tf.int32))
        colours = given.get("colours", tf.zeros((count, 0, 3), tf.float32))
        images = painter.network(given["latents"], labels, colours, training=False)
        return tf.identity(images, name="images")

    return paint


def _write_saved_model(model: Exportable, path: Path) -> None:
    named = tf.function(lambda **given: {"images": model.paint(*_ordered(model, given))})
    concrete = named.get_concrete_function(**{spec.name: spec for spec in model.specs})
    with _quiet():
        tf.saved_model.save(model, str(path), signatures={SIGNATURE: concrete})


def _ordered(model: Exportable, given: Mapping[str, Any]) -> list[Any]:
    return [given[spec.name] for spec in model.specs]


def _load_saved_model(path: Path) -> Run:
    loaded = tf.saved_model.load(str(path))

    def run(inputs: Inputs) -> NDArray[np.float32]:
        given = {name: tf.constant(value) for name, value in inputs.items()}
        made: NDArray[np.float32] = loaded.signatures[SIGNATURE](**given)["images"].numpy()
        return made

    return run


def _write_tflite(model: Exportable, path: Path) -> None:
    """By way of a SavedModel: only then do inputs keep their names."""
    between = path.with_name(path.name + ".savedmodel")
    _write_saved_model(model, between)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(between), signature_keys=[SIGNATURE])
    with _quiet():
        content = converter.convert()
    path.write_bytes(content)
    tf.io.gfile.rmtree(str(between))


def _load_tflite(path: Path) -> Run:
    with _quiet():
        interpreter = tf.lite.Interpreter(model_path=str(path), num_threads=1)
    runner = interpreter.get_signature_runner(SIGNATURE)

    def run(inputs: Inputs) -> NDArray[np.float32]:
        made: NDArray[np.float32] = runner(**inputs)["images"]
        return made

    return run


def _write_onnx(model: Exportable, path: Path) -> None:
    import tf2onnx

    with _quiet():
        proto, _ = tf2onnx.convert.from_function(
            model.paint,
            input_signature=model.specs,
            opset=OPSET,
            custom_op_handlers={"SelectV2": (_as_where, [])},
        )
    proto.graph.output[0].name, old = "images", proto.graph.output[0].name
    for node in proto.graph.node:
        node.output[:] = ["images" if name == old else name for name in node.output]
    path.write_bytes(proto.SerializeToString())


def _as_where(_graph: Any, node: Any, _name: str, _arguments: Any) -> None:
    """Write a choice as ONNX's own Where.

    tf2onnx makes a sum of products of it, for speed, and only sees that NaN is at play where the
    test for it stands right before; unknown colours, NaN times nothing, would make the picture NaN.
    """
    node.type = "Where"


def _load_onnx(path: Path) -> Run:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def run(inputs: Inputs) -> NDArray[np.float32]:
        made: NDArray[np.float32] = session.run(["images"], dict(inputs))[0]
        return made

    return run


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the converters' banners and their warnings about themselves from people's screens."""
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


FORMATS: Final[Mapping[str, Format]] = {
    "savedmodel": Format(
        "savedmodel", _write_saved_model, _load_saved_model, "TensorFlow (tf.saved_model.load)"
    ),
    "onnx": Format(
        "generator.onnx", _write_onnx, _load_onnx, "ONNX", ("onnx", "tf2onnx", "onnxruntime")
    ),
    "tflite": Format("generator.tflite", _write_tflite, _load_tflite, "LiteRT (TensorFlow Lite)"),
}

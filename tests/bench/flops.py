"""Counting multiplications: of any traced TensorFlow function, exactly, from its graph.

Counted are convolutions, matrix products and their gradients, which do nearly all the work.
Element-wise work is left out, as in published counts, so a share of the peak is a lower bound.
"""

import math
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import tensorflow as tf

PEAK_SIDE, PEAK_WIDTH, PEAK_BATCH = 28, 64, 64
"""The convolution that stands for the machine's peak: 3x3, 64 channels, 28x28, batch 64."""

_CALLS = {"PartitionedCall", "StatefulPartitionedCall"}


def multiplications(function: Any) -> dict[str, int]:
    """Return how many multiply-adds a call of a concrete function makes, by kind of operation.

    What the outputs and side effects do not need is left out, as TensorFlow leaves it out before
    it runs a graph: a tape writes down gradients that nobody asked for.

    Args:
        function: a `ConcreteFunction` whose shapes are all known.

    Raises:
        ValueError: an operation that counts has an unknown shape.
    """
    return dict(_of_graph(function.graph))


def whole(function: Any) -> int:
    """Return all multiply-adds of a call of a concrete function."""
    return sum(multiplications(function).values())


def step_by_formula(generator: int, discriminator: int) -> int:
    """Multiply-adds of a residual training step, an image of its batch, from forward passes.

    The generator: one pass forward, and backward two (weights and inputs): 3. The discriminator,
    training, on a real and a generated image: forward 1, slope by the image 1, and through both
    of these back to the weights 2 each: 6 an image. Teaching the generator: the real image
    forward 1, the generated one forward 1 and back to the image 1: 3. So 3 G + 15 D. Slightly
    too high: the first layers have no gradient by their inputs to go on with.
    """
    return 3 * generator + 15 * discriminator


def conv_peak(*, seconds: float = 1.0, clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the GFLOP/s of one plain convolution, the best of short windows over `seconds`."""
    draw = tf.random.Generator.from_seed(0)
    images = draw.normal((PEAK_BATCH, PEAK_SIDE, PEAK_SIDE, PEAK_WIDTH))
    kernel = draw.normal((3, 3, PEAK_WIDTH, PEAK_WIDTH)) / 24.0

    def chain(x: tf.Tensor) -> tf.Tensor:
        for _ in range(4):
            x = tf.nn.conv2d(x, kernel, 1, "SAME")
        return tf.reduce_sum(x)

    run = tf.function(chain)
    work = 2e-9 * whole(run.get_concrete_function(images))
    run(images).numpy()
    ends, best = clock() + seconds, 0.0
    while clock() < ends or best == 0.0:
        begun = clock()
        run(images).numpy()
        best = max(best, work / max(clock() - begun, 1e-9))
    return best


def _of_graph(graph: Any) -> Counter[str]:
    total: Counter[str] = Counter()
    for operation in _needed(graph):
        if operation.type in _CALLS:
            total += _of_graph(graph._get_function(operation.get_attr("f").name).graph)
        elif operation.type in _COUNTED:
            total[operation.type] += _COUNTED[operation.type](operation)
    return total


def _needed(graph: Any) -> list[Any]:
    """Return the operations that outputs and side effects wait for."""
    waiting = [tensor.op for tensor in graph.outputs] + list(graph.control_outputs)
    seen: dict[str, Any] = {}
    while waiting:
        operation = waiting.pop()
        if operation.name not in seen:
            seen[operation.name] = operation
            waiting += [tensor.op for tensor in operation.inputs] + list(operation.control_inputs)
    return list(seen.values())


def _elements(tensor: Any) -> int:
    count = tensor.shape.num_elements()
    if count is None:
        raise ValueError(f"{tensor.name} has the shape {tensor.shape}; trace with fixed shapes.")
    return int(count)


def _taps(kernel: Any) -> int:
    """Return height x width x channels in, of [height, width, in, out]."""
    return math.prod(kernel.shape[:3])


def _matrices(operation: Any) -> int:
    """[..., m, k] by [..., k, n]: the output's elements times k."""
    flag = "transpose_a" if operation.type == "MatMul" else "adj_x"
    inner = operation.inputs[0].shape[-2 if operation.get_attr(flag) else -1]
    return _elements(operation.outputs[0]) * int(inner)


def _einsum(operation: Any) -> int:
    """Every letter's length, multiplied; the sums of this project have no ellipsis."""
    terms = operation.get_attr("equation").decode().partition("->")[0].split(",")
    lengths: dict[str, int] = {}
    for term, tensor in zip(terms, operation.inputs, strict=True):
        _elements(tensor)
        lengths.update(zip(term, map(int, tensor.shape), strict=True))
    return math.prod(lengths.values())


_COUNTED: dict[str, Callable[[Any], int]] = {
    "Conv2D": lambda op: _elements(op.outputs[0]) * _taps(op.inputs[1]),
    "Conv2DBackpropInput": lambda op: _elements(op.inputs[2]) * _taps(op.inputs[1]),
    "Conv2DBackpropFilter": lambda op: _elements(op.inputs[2]) * _taps(op.outputs[0]),
    "MatMul": _matrices,
    "BatchMatMulV2": _matrices,
    "Einsum": _einsum,
}

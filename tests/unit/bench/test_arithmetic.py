"""What the benchmarks compute from what they measured."""

import math
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.bench import catalogs, flops, numbers, results
from tests.bench.bench_collapse import outcome
from tests.bench.bench_long import improvement
from tests.bench.bench_quality import as_text, planned, tabulate
from tests.bench.bench_training_speed import summarise
from tests.bench.runs import Run


def traced(function: object, *shapes: tuple[int, ...]) -> object:
    return tf.function(function).get_concrete_function(*(tf.TensorSpec(shape) for shape in shapes))


def test_a_convolution_multiplies_every_output_by_every_tap() -> None:
    kernel = tf.zeros((3, 3, 5, 7))
    plain = traced(lambda x: tf.nn.conv2d(x, kernel, 1, "SAME"), (2, 8, 8, 5))
    halving = traced(lambda x: tf.nn.conv2d(x, kernel, 2, "SAME"), (2, 8, 8, 5))
    assert flops.multiplications(plain) == {"Conv2D": 2 * 8 * 8 * 7 * 9 * 5}
    assert flops.whole(halving) == flops.whole(plain) / 4


def test_a_gradient_of_a_convolution_costs_as_much_as_the_convolution() -> None:
    kernel = tf.Variable(tf.zeros((3, 3, 5, 7)))

    def both(x: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(tf.nn.conv2d(x, kernel, 1, "SAME") ** 2)
        return list(tape.gradient(total, [x, kernel]))

    assert flops.whole(traced(both, (2, 8, 8, 5))) == 3 * 2 * 8 * 8 * 7 * 9 * 5


def test_products_and_sums_over_letters_are_counted_and_what_nobody_needs_is_not() -> None:
    def product(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        tf.matmul(b, b, transpose_b=True)
        return tf.matmul(a, b)

    def batched(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        return tf.einsum("bij,bjwc->biwc", a, b)

    assert flops.whole(traced(product, (4, 6), (6, 9))) == 4 * 6 * 9
    assert flops.whole(traced(batched, (2, 4, 6), (2, 6, 9, 3))) == 2 * 4 * 6 * 9 * 3


def test_work_inside_a_called_function_is_counted() -> None:
    inner = tf.function(lambda a: tf.matmul(a, a))
    assert flops.whole(traced(lambda a: inner(a) + inner(a), (5, 5))) == 2 * 125


def test_a_shape_that_is_not_known_is_refused() -> None:
    open_ended = tf.function(lambda a: tf.matmul(a, tf.zeros((3, 2))))
    with pytest.raises(ValueError, match="fixed shapes"):
        flops.whole(open_ended.get_concrete_function(tf.TensorSpec((None, 3))))


def test_the_formula_counts_three_generator_and_fifteen_discriminator_passes() -> None:
    assert flops.step_by_formula(generator=10, critic=100) == 1530


def test_a_summary_is_the_median_and_the_range() -> None:
    assert numbers.summary([3.0, 1.0, 100.0]) == {"median": 3.0, "low": 1.0, "high": 100.0, "n": 3}
    with pytest.raises(ValueError, match="nothing to summarise"):
        numbers.summary([])


def test_ratios_are_taken_round_by_round() -> None:
    slowed = numbers.paired_ratio([100.0, 50.0, 98.0], [50.0, 25.0, 49.0])
    assert slowed == {"median": 2.0, "low": 2.0, "high": 2.0, "n": 3}
    with pytest.raises(ValueError, match="longer"):
        numbers.paired_ratio([1.0], [1.0, 2.0])


@pytest.mark.parametrize(
    ("value", "digits", "rounded"), [(12345.6, 3, 12300), (0.012345, 2, 0.012), (0, 3, 0)]
)
def test_rounding_keeps_significant_digits(value: float, digits: int, rounded: float) -> None:
    assert numbers.significant(value, digits) == rounded


def test_results_are_strict_json_and_appear_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "one.json"
    assert results.read(path) is None
    results.write(path, {"n": np.float32(2), "bad": math.nan, "row": np.arange(2), "pair": (1,)})
    assert results.read(path) == {"n": 2.0, "bad": None, "row": [0, 1], "pair": [1]}
    assert [found.name for found in path.parent.iterdir()] == ["one.json"]


def test_a_speed_round_gives_the_share_of_the_peak() -> None:
    told = summarise(
        [
            {"bare": 100.0, "bare_float32": 60.0, "whole": 90.0, "peak": 40.0,
             "first_step_seconds": 3.0,
             "peer": {"images_per_second": 50.0, "images_per_second_bfloat16": 80.0}},
        ],
        step=100_000_000,
    )  # fmt: skip
    assert told["gflops"]["median"] == 20.0
    assert told["share_of_peak"]["median"] == 0.5
    assert told["whole_over_bare"]["median"] == 0.9
    assert told["bare_over_peer"]["median"] == 2.0
    assert told["bare_over_peer_float32"]["median"] == 1.2
    assert told["bare_over_peer_bfloat16"]["median"] == 1.25


def test_without_bfloat16_on_the_peers_side_there_is_no_ratio_of_it() -> None:
    peer = {"images_per_second": 50.0, "images_per_second_bfloat16": None}
    told = summarise(
        [{"bare": 100.0, "bare_float32": 100.0, "whole": 90.0, "peak": 40.0,
          "first_step_seconds": 3.0, "peer": peer}],
        step=100_000_000,
    )  # fmt: skip
    assert told["bare_over_peer"] == told["bare_over_peer_float32"]
    assert "bare_over_peer_bfloat16" not in told


def test_only_residual_is_trained_with_several_seeds() -> None:
    asked = planned(["residual"], 3, Run("residual", 0, 10.0))
    assert [(run.preset, run.seed) for run in asked] == [("residual", s) for s in (0, 1, 2)]


def test_a_table_has_medians_over_seeds_and_leaves_out_what_was_not_measured() -> None:
    def run(value: float | None) -> dict[str, object]:
        figure = {"key": "fd_indomain[A@1a2b3c4d]", "value": value, "interval": None,
                  "n": 9, "floor": 1.0, "ceiling": 90.0, "note": ""}  # fmt: skip
        return {"images_per_second": 200.0, "events": [], "figures": [figure]}

    table = {"residual": tabulate([run(5.0), run(9.0), run(None)])}
    told = table["residual"]["fd_indomain[A@1a2b3c4d]"]
    assert (told["median"], told["values"], told["floor"]) == (7.0, [5.0, 9.0], 1.0)
    assert "| fd_indomain[A@1a2b3c4d] | 7 (5 to 9) | 1 | 90 |" in as_text(table)


def test_a_long_run_tells_its_best_and_when_it_came_near() -> None:
    curve = [
        {"images": 10 * s, "seconds": float(s), "value": v}
        for s, v in ((1, 90.0), (2, 40.0), (3, 20.5), (4, 20.0), (5, 21.0))
    ]
    told = improvement(curve)
    assert told["best"]["value"] == 20.0
    assert told["near_best_after_seconds"] == 3.0
    assert [point["seconds"] for point in told["doublings"]] == [1.0, 2.0, 4.0]
    assert improvement([]) == {}


BACK = {"went_back_to": 1}
WELL = {"ended": "release", "events": [], "losses": {"generator": 1.0}, "spread": 30.0,
        "least_spread": 9.0, "fd": 50.0, "fd_of_its_data": None}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, "recovered"),
        ({"events": [BACK] * 5}, "recovered"),
        ({"events": [BACK] * 6}, "looped"),
        ({"ended": "diverged"}, "gave up"),
        ({"losses": {"generator": None}}, "not finite"),
        ({"spread": 9.0}, "poor"),
        ({"fd": 61.0}, "poor"),
        ({"fd": 61.0, "fd_of_its_data": 40.0}, "recovered"),
    ],
)
def test_an_injection_has_one_outcome(change: dict[str, object], expected: str) -> None:
    assert outcome({**WELL, **change}, {**WELL, "fd": 30.0}, rungs=5) == expected


def test_rare_values_become_unknown() -> None:
    assert catalogs.common(["coat"] * 3 + ["cap"], least=2) == ["coat"] * 3 + [""]


def test_garments_for_the_test_are_the_same_each_time_and_two_hundred_at_least() -> None:
    chosen = catalogs.chosen_for_test(900)
    assert int(chosen.sum()) == 200
    assert int(catalogs.chosen_for_test(5000).sum()) == 500
    assert np.array_equal(chosen, catalogs.chosen_for_test(900))

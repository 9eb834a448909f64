from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.colour import srgb_to_lab
from shared.errors import InvalidInputError
from tests.unit.worker.gan.conftest import MakeGarments
from tests.unit.worker.gan.measure.conftest import Halves
from worker.gan.measure.extractors import Extractors
from worker.gan.measure.figures import Figure, parts
from worker.gan.measure.judge import Sampler
from worker.gan.measure.suite import measure

STEPS = 4


def middle_colours(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The colour in the middle of the picture, twice."""
    middle = srgb_to_lab(images[:, 8, 8])
    return np.stack([middle, middle], axis=1)


def of_family(figures: Sequence[Figure], family: str, extractor: str = "") -> list[Figure]:
    found = [(figure, parts(figure.key)) for figure in figures]
    return [f for f, p in found if p["family"] == family and p["extractor"].startswith(extractor)]


@pytest.fixture(scope="module")
def good(extractors: Extractors, halves: Halves, drawn: Sampler) -> list[Figure]:
    return measure(
        drawn, train=halves.train, test=halves.test, extractors=extractors, seed=1, seeds=3,
        classifier_steps=STEPS,
    )  # fmt: skip


@pytest.fixture(scope="module")
def bad(extractors: Extractors, halves: Halves, collapsed: Sampler) -> list[Figure]:
    return measure(
        collapsed, train=halves.train, test=halves.test, extractors=extractors, seed=1, seeds=2,
        classifier_steps=STEPS,
    )  # fmt: skip


def test_every_family_of_figures_is_there(good: list[Figure]) -> None:
    families = {parts(figure.key)["family"] for figure in good}
    assert families == {
        "fd_indomain",
        "kd_indomain",
        "prdc_indomain.precision",
        "prdc_indomain.recall",
        "prdc_indomain.density",
        "prdc_indomain.coverage",
        "classifier_score",
        "condition_accuracy",
        "nearest_training_percentile.first",
        "nearest_training_percentile.median",
        "train_on_generated",
        "test_on_generated",
    }


def test_every_figure_has_interval_number_floor_and_ceiling(good: list[Figure]) -> None:
    for figure in good:
        assert figure.interval is not None, figure.key
        assert figure.interval[0] <= figure.value <= figure.interval[1], figure.key
        assert figure.n == 80, figure.key
        assert figure.floor is not None, figure.key
        assert figure.ceiling is not None, figure.key
        assert figure.note, figure.key
        assert Figure.from_dict(figure.as_dict()).key == figure.key


def test_no_key_stands_twice_and_none_borrows_inceptions_names(good: list[Figure]) -> None:
    keys = [figure.key for figure in good]
    assert len(set(keys)) == len(keys)
    assert not any("fid" in key.lower() or "inception" in key.lower() for key in keys)


def test_distances_of_noise_are_far_above_those_of_real_garments(good: list[Figure]) -> None:
    for letter in ("A", "B", "C"):
        (figure,) = of_family(good, "fd_indomain", letter)
        assert figure.floor is not None
        assert figure.ceiling is not None
        assert figure.ceiling > 3 * figure.floor, letter
        assert figure.value < figure.ceiling, letter


def test_a_collapsed_generator_loses_recall_and_gains_distance(
    good: list[Figure], bad: list[Figure]
) -> None:
    for letter in ("A", "B", "C"):
        ours, theirs = (of_family(found, "fd_indomain", letter)[0] for found in (good, bad))
        assert theirs.value > 3 * ours.value, letter
    for name in ("recall", "coverage"):
        ours, theirs = (of_family(found, f"prdc_indomain.{name}", "B")[0] for found in (good, bad))
        assert theirs.value < ours.value, name


def test_each_value_of_the_first_attribute_has_its_own_distance(good: list[Figure]) -> None:
    conditions = {parts(f.key)["condition"] for f in of_family(good, "kd_indomain", "B")}
    assert conditions == {"", "shape=upright", "shape=flat"}


def test_a_generator_that_copies_its_catalog_is_found_out(
    extractors: Extractors, halves: Halves
) -> None:
    def copied(labels: NDArray[np.int32], _: NDArray[np.float32], seed: int) -> NDArray[np.uint8]:
        draw = np.random.default_rng(seed)
        return halves.train.images[draw.integers(0, halves.train.n, len(labels))]

    noisy = replace(halves.test, images=halves.test.images ^ np.uint8(1))
    figures = measure(
        copied, train=halves.train, test=noisy, extractors=extractors, seed=1, seeds=1,
        classifier_steps=STEPS,
    )  # fmt: skip
    found = of_family(figures, "nearest_training_percentile.median", "C")
    assert found[0].value == 1.0
    assert found[0].floor == 0.5


def test_a_light_measurement_is_one_distance_by_the_classifier(
    extractors: Extractors, halves: Halves, drawn: Sampler
) -> None:
    (figure,) = measure(
        drawn, train=halves.train, test=halves.test, extractors=extractors, seed=1, light=True,
        n=100,
    )  # fmt: skip
    assert parts(figure.key)["extractor"] == "A"
    assert figure.n == 100


def test_without_labels_what_needs_them_is_left_out(garments: MakeGarments) -> None:
    train, test = (replace(garments(n=n, seed=n), labels={}, vocabulary={}) for n in (80, 40))
    extractors = Extractors.train(train, seed=0, steps=2)
    figures = measure(
        lambda labels, _, __: np.full((len(labels), 16, 16, 3), 9, np.uint8),
        train=train, test=test, extractors=extractors, seed=0, seeds=2,
    )  # fmt: skip
    families = {parts(figure.key)["family"].partition(".")[0] for figure in figures}
    assert families == {
        "fd_indomain", "kd_indomain", "prdc_indomain", "nearest_training_percentile",
    }  # fmt: skip
    assert {parts(figure.key)["extractor"] for figure in figures} == {"B", "C"}


def test_few_garments_say_that_the_kernel_distance_is_to_be_read(good: list[Figure]) -> None:
    for figure in of_family(good, "fd_indomain"):
        assert "64 held-out garments" in figure.note
        assert "kd_indomain" in figure.note


def test_the_colour_error_is_small_when_colours_are_met_and_large_when_not(
    extractors: Extractors, halves: Halves
) -> None:
    train, test = (
        replace(d, colours=middle_colours(d.images)) for d in (halves.train, halves.test)
    )

    def grey(shade: int) -> Sampler:
        return lambda labels, *_: np.full((len(labels), 16, 16, 3), shade, np.uint8)

    def error(sampler: Sampler) -> Figure:
        figures = measure(
            sampler, train=train, test=test, extractors=extractors, seed=0, seeds=2,
            measure_colours=middle_colours, classifier_steps=STEPS,
        )  # fmt: skip
        (found,) = of_family(figures, "colour_error")
        return found

    near, far = error(grey(128)), error(grey(250))
    assert near.floor == pytest.approx(0.0, abs=1e-6)
    assert near.value < far.value
    assert near.ceiling is not None
    assert near.ceiling > 0


def test_halves_of_different_catalogs_are_refused(
    extractors: Extractors, halves: Halves, drawn: Sampler, garments: MakeGarments
) -> None:
    with pytest.raises(InvalidInputError, match="Split one catalog in two"):
        measure(
            drawn, train=halves.train, test=garments(n=40, size=20), extractors=extractors, seed=0
        )


def test_progress_ends_at_one(extractors: Extractors, halves: Halves, drawn: Sampler) -> None:
    shares: list[float] = []
    measure(
        drawn, train=halves.train, test=halves.test, extractors=extractors, seed=0, seeds=1,
        classifier_steps=1, on_progress=shares.append,
    )  # fmt: skip
    assert shares == sorted(shares)
    assert shares[-1] == 1.0

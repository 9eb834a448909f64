import json
import math

import pytest

from shared.errors import InvalidInputError
from worker.gan.measure.figures import Figure, compare, key, mean_interval, parts

KEY = "fd_indomain[A@1a2b3c4d]"


def test_a_key_names_family_extractor_weights_and_condition() -> None:
    written = key("kd_indomain", extractor="B", digest="00ff00ff", condition="category=dress")
    assert written == "kd_indomain[B@00ff00ff](category=dress)"
    assert parts(written) == {
        "family": "kd_indomain",
        "extractor": "B",
        "digest": "00ff00ff",
        "condition": "category=dress",
    }
    assert key("colour_error") == "colour_error"
    assert parts("prdc_indomain.recall[A@1a2b3c4d]")["family"] == "prdc_indomain.recall"


def test_a_figure_comes_back_from_json_as_it_was() -> None:
    figure = Figure(KEY, 19.125, (18.25, 20.0), 10_000, 0.75, 3950.0, "five seeds")
    assert Figure.from_dict(json.loads(json.dumps(figure.as_dict()))) == figure


def test_a_number_that_is_not_finite_is_none_in_json() -> None:
    written = Figure(KEY, math.nan).as_dict()
    assert written["value"] is None
    assert math.isnan(Figure.from_dict(written).value)


@pytest.mark.parametrize("broken", [{}, {"key": "no key!"}, {"key": KEY, "value": "many"}])
def test_what_is_no_figure_is_refused(broken: dict[str, object]) -> None:
    whole = {"key": KEY, "value": 1.0, "interval": None, "n": 1, "floor": None, "ceiling": None}
    with pytest.raises(InvalidInputError, match="figure"):
        Figure.from_dict({**whole, **broken})


@pytest.mark.parametrize(
    ("other", "differs"),
    [
        ("kd_indomain[A@1a2b3c4d]", "what is measured"),
        ("fd_indomain[B@1a2b3c4d]", "the extractor differs \\(A and B\\)"),
        ("fd_indomain[A@99999999]", "the extractor's weights"),
        ("fd_indomain[A@1a2b3c4d](category=dress)", "the condition differs \\(none and"),
    ],
)
def test_figures_of_different_keys_are_never_compared(other: str, differs: str) -> None:
    with pytest.raises(InvalidInputError, match=differs):
        compare(Figure(KEY, 1.0), Figure(other, 2.0))


def test_frechet_distances_of_different_numbers_of_images_are_not_compared() -> None:
    with pytest.raises(InvalidInputError, match="2000 images and on 10000"):
        compare(Figure(KEY, 1.0, n=2_000), Figure(KEY, 2.0, n=10_000))


def test_a_difference_is_clear_when_the_intervals_stay_apart() -> None:
    first = Figure(KEY, 10.0, (9.0, 11.0))
    assert compare(first, Figure(KEY, 13.0, (12.0, 14.0))).clear
    overlapping = compare(first, Figure(KEY, 11.5, (10.5, 12.5)))
    assert not overlapping.clear
    assert overlapping.change == pytest.approx(1.5)
    assert not compare(first, Figure(KEY, 50.0)).clear


def test_the_interval_of_five_readings_is_students() -> None:
    mean, interval = mean_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert mean == 3.0
    assert interval == pytest.approx((3 - 1.9634, 3 + 1.9634), abs=1e-3)


def test_one_reading_has_no_interval() -> None:
    assert mean_interval([2.0]) == (2.0, None)

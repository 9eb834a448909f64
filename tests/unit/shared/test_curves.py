"""Small line plots as numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.curves import Axis, axis, band, points, short

FINITE = st.floats(-1e9, 1e9, allow_nan=False).map(lambda value: round(value, 3))


@given(st.lists(FINITE, min_size=1, max_size=20))
def test_every_value_lies_on_its_axis(values: list[float]) -> None:
    for made in (axis(values, start=200, end=10, zero=zero) for zero in (True, False)):
        assert all(10 - 1e-6 <= made.at(value) <= 200 + 1e-6 for value in values)
        marks = made.ticks()
        assert all(10 - 0.1 <= mark.at <= 200 + 0.1 for mark in marks)
        assert len(marks) <= 6


def test_the_ends_of_the_values_are_the_ends_of_the_axis() -> None:
    made = axis([5, 10], start=200, end=10)
    assert (made.at(5), made.at(10)) == (200, 10)
    assert (made.at(-100), made.at(100)) == (200, 10)


def test_values_that_span_factors_are_read_on_a_logarithmic_scale() -> None:
    made = axis([1, 10_000], start=0, end=100)
    assert made.log
    assert [mark.text for mark in made.ticks()] == ["1", "10", "100", "1000", "10k"]
    assert made.at(100) == pytest.approx(50)
    assert not axis([0, 10_000], start=0, end=100).log
    assert not axis([1, 10_000], start=0, end=100, zero=True).log


def test_one_value_alone_still_has_an_axis() -> None:
    for value in (0.0, 3.0, -3.0):
        assert axis([value], start=0, end=100).at(value) == pytest.approx(50)


def test_marks_stand_at_round_values() -> None:
    assert [mark.text for mark in axis([18, 33], start=0, end=100).ticks()] == ["20", "25", "30"]


def test_a_line_and_a_band_are_svg_points() -> None:
    across, up = Axis(0, 10, 0, 100), Axis(0, 1, 50, 0)
    assert points(across, up, [(0, 0), (10, 1)]) == "0.0,50.0 100.0,0.0"
    assert band(across, up, [(0, 0, 1), (10, 0.5, 1)]) == "0.0,50.0 100.0,25.0 100.0,0.0 0.0,0.0"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.031, "0.031"), (1.5, "1.5"), (950, "950"), (5000, "5000"), (12_000, "12k"),
     (1_200_000, "1.2M"), (-2_000_000, "-2M")],
)  # fmt: skip
def test_numbers_are_short(value: float, text: str) -> None:
    assert short(value) == text

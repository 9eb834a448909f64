"""Observations: what is let in, and when two are the same."""

import numpy as np
import pytest

from shared.errors import InvalidInputError
from worker.trends.observations import Observations, from_rows


def _three() -> Observations:
    return from_rows(
        ["2026-01-05", None, "2026-02-01"],
        {"colour": ["red", "blue", None]},
        weights=[1.0, 2.0, 3.0],
        segments=["online", None, "store"],
    )


def test_rows_become_codes_with_minus_one_for_unknown() -> None:
    seen = _three()
    assert seen.vocabulary["colour"] == ("blue", "red")
    assert seen.attributes["colour"].tolist() == [1, 0, -1]
    assert seen.dated.tolist() == [True, False, True]


def test_a_row_without_weight_or_count_is_not_in_any_series() -> None:
    seen = from_rows(["2026-01-05"] * 3, {}, weights=[0.0, 1.0, 1.0], counts=[1.0, 0.0, 2.0])
    assert seen.dated.tolist() == [False, False, True]


def test_the_order_of_rows_does_not_change_the_fingerprint() -> None:
    one = from_rows(["2026-01-05", "2026-01-06"], {"colour": ["red", "blue"]}, weights=[1, 2])
    two = from_rows(["2026-01-06", "2026-01-05"], {"colour": ["blue", "red"]}, weights=[2, 1])
    assert one.fingerprint() == two.fingerprint()


def test_unused_and_reordered_vocabulary_does_not_change_the_fingerprint() -> None:
    one = _three()
    two = Observations(
        dates=one.dates,
        weights=one.weights,
        attributes={"colour": np.array([0, 2, -1], dtype=np.int32)},
        vocabulary={"colour": ("red", "green", "blue")},
        segments=one.segments,
        segment_names=one.segment_names,
    )
    assert one.fingerprint() == two.fingerprint()


@pytest.mark.parametrize("change", ["date", "weight", "value", "count", "attribute"])
def test_any_change_of_content_changes_the_fingerprint(change: str) -> None:
    def build(changed: str | None) -> str:
        return from_rows(
            ["2026-01-05", "2026-01-07" if changed == "date" else "2026-01-06"],
            {
                "shade" if changed == "attribute" else "colour": [
                    "red",
                    "green" if changed == "value" else "blue",
                ]
            },
            weights=[1, 3 if changed == "weight" else 2],
            counts=[1, 3 if changed == "count" else 2],
        ).fingerprint()

    assert build(change) != build(None)


def test_two_rows_swapping_values_is_a_change() -> None:
    one = from_rows(["2026-01-05", "2026-01-06"], {"colour": ["red", "blue"]})
    two = from_rows(["2026-01-05", "2026-01-06"], {"colour": ["blue", "red"]})
    assert one.fingerprint() != two.fingerprint()


def test_an_unreadable_date_is_refused_with_the_form_to_use() -> None:
    with pytest.raises(InvalidInputError, match="2026-03-31"):
        from_rows(["31 March"], {})


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_a_weight_that_is_no_amount_is_refused(weight: float) -> None:
    with pytest.raises(InvalidInputError, match="weight"):
        from_rows(["2026-01-05"], {}, weights=[weight])


def test_columns_of_another_length_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="colour"):
        from_rows(["2026-01-05"], {"colour": ["red", "blue"]})


def test_a_code_outside_its_vocabulary_is_refused() -> None:
    seen = _three()
    with pytest.raises(InvalidInputError, match="outside"):
        Observations(
            dates=seen.dates,
            weights=seen.weights,
            attributes={"colour": np.array([0, 1, 2], dtype=np.int32)},
            vocabulary={"colour": ("red", "blue")},
            segments=seen.segments,
            segment_names=seen.segment_names,
        )

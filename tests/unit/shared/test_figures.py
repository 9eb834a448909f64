"""Comparing figures."""

from typing import Any

import pytest

from shared.errors import ConflictError
from shared.figures import compare, compare_one, ends_of, figures_of, subject
from shared.schemas.figures import Figure

FD = "fd_indomain[A@1a2b3c4d]"
RECALL = "prdc_indomain.recall[A@1a2b3c4d]"


def figure(key: str = FD, value: float = 20.0, **changes: Any) -> Figure:
    base = {"interval": (value - 1, value + 1), "n": 10_000, "floor": 0.73, "ceiling": 3950.0}
    return Figure.model_validate({"key": key, "value": value, **base, **changes})


def test_the_figures_of_a_card_are_read_and_what_is_none_is_passed_over() -> None:
    good = {"key": FD, "value": 19.1, "a_later_field": 1}
    card = {"figures": [good, {"key": FD}, "nonsense", None]}
    card["figures"].append({"key": FD, "value": float("nan")})
    assert figures_of(card) == [Figure(key=FD, value=19.1)]
    assert figures_of({}) == figures_of({"figures": 3}) == []


def test_half_an_interval_is_none() -> None:
    (one,) = figures_of({"figures": [{"key": FD, "value": 1.0, "interval": [None, 2.0]}]})
    assert one.interval is None


def test_of_distances_the_less_is_better() -> None:
    (one,) = compare([figure(value=40)], [figure(value=20)])[0]
    assert (one.difference, one.apart, one.better) == (-20, True, "second")


def test_of_shares_and_accuracies_the_more_is_better() -> None:
    first = figure(RECALL, 0.8, interval=(0.78, 0.82))
    second = figure(RECALL, 0.5, interval=(0.48, 0.52))
    assert compare([first], [second])[0][0].better == "first"


def test_real_garments_stand_at_the_floor_of_distances_and_at_the_ceiling_of_shares() -> None:
    assert ends_of(figure(floor=0.7, ceiling=3950)) == (0.7, 3950)
    assert ends_of(figure(RECALL, 0.5, floor=0.0, ceiling=0.94)) == (0.94, 0.0)
    assert ends_of(figure(floor=None)) is None


def test_neither_is_better_where_the_two_cannot_be_told_apart() -> None:
    for interval, apart in (((10, 39.5), False), (None, None)):
        (one,) = compare([figure(value=40)], [figure(value=20, interval=interval)])[0]
        assert (one.apart, one.better) == (apart, None)


def test_of_a_figure_that_nobody_knows_neither_is_better() -> None:
    (one,) = compare([figure("novel", 40)], [figure("novel", 20)])[0]
    assert (one.apart, one.better) == (True, None)


@pytest.mark.parametrize(
    "other",
    ["fd_indomain[A@99999999]", "fd_indomain[B@1a2b3c4d]", "kd_indomain[A@1a2b3c4d]"],
)
def test_figures_of_different_keys_are_never_compared(other: str) -> None:
    compared, left = compare([figure()], [figure(other)])
    assert compared == []
    assert [(one.key, one.of) for one in left] == [(FD, "first"), (other, "second")]
    with pytest.raises(ConflictError, match="cannot be compared"):
        compare_one(FD, [figure()], [figure(other)])


def test_another_hash_of_the_same_extractor_is_named_as_the_reason() -> None:
    other = "fd_indomain[A@99999999]"
    _, left = compare([figure()], [figure(other)])
    assert other in left[0].reason
    assert "another scale" in left[0].reason
    _, left = compare([figure()], [])
    assert left[0].reason == "The second release was not measured so."


def test_a_difference_in_images_is_remarked_on() -> None:
    (one,) = compare([figure(RECALL, n=10_000)], [figure(RECALL, n=2_000)])[0]
    assert "10,000 and 2,000" in one.remark
    assert compare([figure(RECALL)], [figure(RECALL, n=9_000)])[0][0].remark == ""


def test_a_distance_that_grows_with_fewer_images_is_not_compared_across_numbers() -> None:
    compared, left = compare([figure(n=10_000)], [figure(n=2_000)])
    assert compared == []
    assert [(one.key, one.of) for one in left] == [(FD, "first"), (FD, "second")]
    assert "as images get fewer" in left[0].reason
    with pytest.raises(ConflictError, match="as images get fewer"):
        compare_one(FD, [figure(n=10_000)], [figure(n=2_000)])


def test_the_subject_of_a_key_is_the_key_without_its_hash() -> None:
    assert subject("condition_accuracy[A@1a2b3c4d](category)") == "condition_accuracy[A](category)"
    assert subject("colour_error") == "colour_error"

"""Derived labels join what was observed, and say that they were derived."""

from dataclasses import replace

import numpy as np

from shared import ids
from worker.trends.filling import Filling, filled, places_of
from worker.trends.observations import MEASURED, PREDICTED, STYLE, Observations, from_rows


def _seen() -> Observations:
    seen = from_rows(
        ["2026-01-05"] * 4, {"colour": ["red", None, None, None], "category": ["dress"] * 4}
    )
    return replace(seen, ids=np.array([b"gar_a", b"gar_b", b"", b"gar_d"]))


def _names(seen: Observations, attribute: str) -> list[str | None]:
    return [
        None if code < 0 else seen.vocabulary[attribute][code]
        for code in seen.attributes[attribute]
    ]


def _filling(values: tuple[str, ...], codes: list[int], origin: int) -> Filling:
    return Filling(
        values, np.array(codes, dtype=np.int32), np.full(len(codes), origin, dtype=np.int8)
    )


def test_only_what_was_unknown_is_filled_and_marked() -> None:
    known = np.array([b"gar_b", b"gar_a", b"gar_x"])
    seen = filled(_seen(), known, {"colour": _filling(("blue", "teal"), [0, 1, 1], PREDICTED)})
    assert _names(seen, "colour") == ["red", "blue", None, None]
    assert seen.origins["colour"].tolist() == [0, PREDICTED, 0, 0]
    assert seen.vocabulary["colour"] == ("blue", "red", "teal")


def test_a_new_attribute_is_added_and_what_was_not_derived_stays_unknown() -> None:
    known = np.array([b"gar_d", b"gar_a"])
    seen = filled(
        _seen(),
        known,
        {"style": _filling(("style 1", "style 7"), [1, 0], STYLE),
         "pattern": _filling(("plain",), [-1, 0], MEASURED)},
    )  # fmt: skip
    assert _names(seen, "style") == ["style 1", None, None, "style 7"]
    assert _names(seen, "pattern") == ["plain", None, None, None]
    assert seen.origins["style"].tolist() == [STYLE, 0, 0, STYLE]


def test_counts_without_pictures_are_left_alone() -> None:
    seen = from_rows(["2026-01-05"], {"colour": [None]})
    one = {"colour": _filling(("red",), [0], PREDICTED)}
    assert filled(seen, np.array([b"gar_a"]), one) is seen


def test_every_identifier_is_found_and_no_other() -> None:
    names = np.array([ids.new_id(ids.GARMENT) for _ in range(3000)], dtype="S")
    order = np.random.default_rng(0).permutation(2000)
    places = places_of(names, names[order])
    assert np.array_equal(order[places[:2000]], np.arange(2000))
    assert set(places[2000:].tolist()) == {-1}

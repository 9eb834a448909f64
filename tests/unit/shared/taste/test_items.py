"""Items and the garment index: what they hold, join, and refuse."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import InvalidInputError, NotFoundError, TasteCorruptError
from shared.taste import index, packing
from shared.taste.items import Items, join

Draw = Callable[..., Items]


def same(first: Items, second: Items) -> bool:
    return (first.ids, dict(first.vocabulary)) == (second.ids, dict(second.vocabulary)) and all(
        np.array_equal(getattr(first, name), getattr(second, name), equal_nan=True)
        for name in ("embeddings", "colours", "labels")
    )


@st.composite
def any_items(draw: st.DrawFn) -> Items:
    names = draw(st.lists(st.text(max_size=8), unique=True, max_size=6))
    vocabulary = draw(
        st.dictionaries(
            st.text(max_size=5), st.lists(st.text(max_size=5), unique=True, max_size=3), max_size=3
        )
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n = len(names)
    colours = rng.normal(size=(n, 2, 3)).astype(np.float32)
    colours[rng.random((n, 2)) < 0.5] = np.nan
    columns = [rng.integers(-1, len(values), n) for values in vocabulary.values()]
    return Items(
        ids=tuple(names),
        embeddings=rng.normal(size=(n, 128)).astype(np.float32),
        colours=colours,
        labels=np.array(columns, dtype=np.int32).reshape(len(vocabulary), n).T,
        vocabulary={name: tuple(values) for name, values in vocabulary.items()},
    )


@given(any_items())
@settings(max_examples=40, deadline=None)
def test_an_index_survives_the_way_to_bytes_and_back(items: Items) -> None:
    data = index.write(items)
    assert same(index.read(data), items)
    assert index.write(items) == data


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_damaged_index_is_one_error_or_harmless(items: Items, data: st.DataObject) -> None:
    few = items.take(np.arange(3))
    whole = bytearray(index.write(few))
    kind = data.draw(st.sampled_from(["flip", "cut", "zero"]))
    at = data.draw(st.integers(0, len(whole) - 1))
    if kind == "flip":
        whole[at] ^= 1 << data.draw(st.integers(0, 7))
    elif kind == "cut":
        del whole[at:]
    else:
        whole[at : at + 64] = bytes(len(whole[at : at + 64]))
    try:
        read = index.read(bytes(whole))
    except TasteCorruptError:
        return
    assert same(read, few), "a flipped date in the container changes nothing"


@pytest.mark.parametrize("data", [b"", b"PK", b"no file at all", bytes(1000)])
def test_bytes_that_never_were_an_index_are_refused(data: bytes) -> None:
    with pytest.raises(TasteCorruptError, match="cannot be read as a garment index"):
        index.read(data)


def test_a_file_of_another_kind_is_refused_by_name() -> None:
    other = packing.pack("moodboard 7", {}, {})
    with pytest.raises(TasteCorruptError, match="moodboard 7, where a garment index 1"):
        index.read(other)


def test_pickled_objects_are_never_read() -> None:
    packed = packing.pack(index.KIND, {"ids": [], "vocabulary": []}, {"labels": np.zeros(3)})
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        packing.pack(index.KIND, {}, {"labels": np.array([{}], dtype=object)})
    with pytest.raises(TasteCorruptError, match="embeddings"):
        index.read(packed)


def test_rows_are_taken_in_the_order_asked_for(draw: Draw) -> None:
    items = draw(10)
    taken = items.take(np.array([7, 2]))
    assert taken.ids == ("g7", "g2")
    assert np.array_equal(taken.embeddings, items.embeddings[[7, 2]])
    assert taken.labels_of(0) == items.labels_of(7)


def test_joined_parts_keep_their_labels_though_their_codes_differ(draw: Draw) -> None:
    first, second = draw(6), draw(6, prefix="d")
    other = replace(
        second,
        labels=second.labels[:, :1],
        vocabulary={"category": ("cap", "coat", "dress")},
    )
    joined = join([first, other])
    assert joined.vocabulary["category"] == ("coat", "dress", "shirt", "cap")
    assert [joined.labels_of(k) for k in range(6)] == [first.labels_of(k) for k in range(6)]
    assert [joined.labels_of(6 + k) for k in range(6)] == [other.labels_of(k) for k in range(6)]


def test_nothing_cannot_be_joined() -> None:
    with pytest.raises(InvalidInputError, match="at least one part"):
        join([])


def test_an_id_in_two_parts_is_refused(draw: Draw) -> None:
    with pytest.raises(InvalidInputError, match="an id is given twice"):
        join([draw(3), draw(3)])


def test_an_unknown_id_is_named(draw: Draw) -> None:
    assert draw(3).place("g2") == 2
    with pytest.raises(NotFoundError, match="no item g3"):
        draw(3).place("g3")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"embeddings": np.zeros((3, 64), np.float32)}, "embeddings"),
        ({"embeddings": np.zeros((3, 128))}, "float64"),
        ({"embeddings": np.full((3, 128), np.inf, np.float32)}, "not finite"),
        ({"colours": np.zeros((3, 3), np.float32)}, "colours"),
        ({"labels": np.zeros((3, 1), np.int32)}, "labels"),
        ({"labels": np.full((3, 2), 3, np.int32)}, "outside its 3 values"),
        ({"labels": np.full((3, 2), -2, np.int32)}, "outside its 3 values"),
        ({"vocabulary": {"a": ("x", "x"), "b": ("y",)}}, "names a value twice"),
    ],
)
def test_columns_that_do_not_fit_are_refused(
    draw: Draw, change: dict[str, object], told: str
) -> None:
    with pytest.raises(InvalidInputError, match=told):
        replace(draw(3), **change)  # type: ignore[arg-type]  # the wrong types are the point


def test_an_attribute_that_nobody_named_is_unknown_throughout(draw: Draw) -> None:
    items = draw(4)
    assert items.codes("season").tolist() == [-1] * 4
    assert not items.having("category", "cap").any()

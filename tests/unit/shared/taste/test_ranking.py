"""Rankings: exact, without copies, as varied as asked for; and the nearest garments to a design."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import InvalidInputError
from shared.taste.gallery import Gallery, hang
from shared.taste.items import Items, join
from shared.taste.logistic import Gaussian
from shared.taste.ranking import COPY, best, diverse, looks, nearest, top

Draw = Callable[..., Items]


@pytest.fixture
def belief(gallery: Gallery) -> Gaussian:
    weights = 3 * gallery.space.direction("category", "dress")
    return Gaussian(weights, 0.1 * np.eye(len(weights)))


def test_with_relevance_alone_the_ranking_is_the_sorted_scores(
    gallery: Gallery, belief: Gaussian
) -> None:
    found = top(gallery, belief, count=12, relevance=1)
    expected = np.argsort(-belief.means(gallery.features))[:12]
    assert [one.place for one in found] == expected.tolist()
    assert [one.id for one in found] == [f"g{place}" for place in expected]
    assert all(0.5 < one.probability < 1 for one in found)


def test_what_was_seen_or_is_not_allowed_never_comes_back(
    gallery: Gallery, belief: Gaussian
) -> None:
    first = top(gallery, belief, count=5)
    dresses = gallery.items.having("category", "dress")
    rest = top(gallery, belief, count=300, exclude=[one.id for one in first], allowed=dresses)
    assert {one.place for one in rest} <= set(np.flatnonzero(dresses).tolist())
    assert not {one.id for one in first} & {one.id for one in rest}


def test_nothing_allowed_is_an_empty_ranking(gallery: Gallery, belief: Gaussian) -> None:
    assert top(gallery, belief, count=5, allowed=np.zeros(len(gallery.items), np.bool_)) == []


def test_less_relevance_brings_more_variety_for_less_score(
    gallery: Gallery, belief: Gaussian
) -> None:
    def likeness(relevance: float) -> tuple[float, float]:
        found = top(gallery, belief, count=10, relevance=relevance)
        rows = gallery.features[[one.place for one in found], :-1]
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return float((rows @ rows.T).mean()), float(np.mean([one.score for one in found]))

    varied, alike = likeness(0.3), likeness(1.0)
    assert varied[0] < alike[0]
    assert varied[1] < alike[1]


def test_copies_are_refused(draw: Draw, gallery: Gallery, belief: Gaussian) -> None:
    items = gallery.items
    again = replace(
        items,
        ids=tuple(f"copy-of-{name}" for name in items.ids),
        embeddings=items.embeddings + np.float32(0.02) * draw(240, seed=5).embeddings,
    )
    both = hang(join([items, again]), gallery.space)
    found = top(both, belief, count=20, relevance=1)
    assert len({one.id.removeprefix("copy-of-") for one in found}) == 20


def test_another_colour_is_no_copy(gallery: Gallery) -> None:
    one = gallery.items.take(np.array([0]))
    paler = replace(one, colours=one.colours + np.float32(15))
    assert np.linalg.norm(looks(one) - looks(paler)) > COPY


@given(
    st.integers(0, 40), st.integers(1, 50), st.floats(0, 1), st.integers(0, 2**32),
    st.sampled_from([0.0, 0.5, 3.0]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_picks_are_unique_apart_and_begin_with_the_best(
    m: int, count: int, relevance: float, seed: int, copy: float
) -> None:
    rng = np.random.default_rng(seed)
    scores, features = rng.normal(size=m), rng.normal(size=(m, 4))
    shown = features.astype(np.float32)
    picked = diverse(scores, features, shown, count=count, relevance=relevance, copy=copy)
    assert len(set(picked.tolist())) == len(picked) <= min(count, m)
    assert len(picked) == min(count, m) or copy > 0
    if m and relevance > 1e-9:  # less is lost in rounding
        assert picked[0] == scores.argmax()
    for place, one in enumerate(picked):
        for other in picked[:place]:
            assert np.linalg.norm(shown[one] - shown[other]) >= copy


@given(st.lists(st.floats(-5, 5) | st.just(-np.inf), max_size=30), st.integers(1, 40))
def test_the_best_are_those_of_the_highest_finite_scores(scores: list[float], count: int) -> None:
    values = np.array(scores, dtype=np.float64)
    found = best(values, count)
    finite = sorted((value for value in scores if np.isfinite(value)), reverse=True)
    assert values[found].tolist() == finite[:count]


@pytest.mark.parametrize(("count", "relevance"), [(0, 0.7), (5, 1.1), (5, -0.1)])
def test_a_count_or_relevance_out_of_range_is_refused(
    gallery: Gallery, belief: Gaussian, count: int, relevance: float
) -> None:
    with pytest.raises(InvalidInputError, match="expected 1 or more"):
        top(gallery, belief, count=count, relevance=relevance)


def test_a_design_finds_the_garments_that_look_like_it(draw: Draw, items: Items) -> None:
    designs = replace(
        items.take(np.array([17, 80])),
        ids=("d1", "d2"),
        embeddings=items.embeddings[[17, 80]] + np.float32(0.1) * draw(2, seed=9).embeddings,
    )
    places, distances = nearest(items, designs, 4)
    assert places[:, 0].tolist() == [17, 80]
    every = np.linalg.norm(looks(items)[None] - looks(designs)[:, None], axis=2)
    assert np.allclose(distances, np.sort(every, axis=1)[:, :4], atol=1e-3)
    category = items.codes("category")
    assert (category[places] == category[[17, 80]][:, None]).all()


def test_a_large_catalog_is_searched_in_blocks(
    items: Items, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = nearest(items, items.take(np.array([3])), 300)
    monkeypatch.setattr("shared.taste.ranking._BLOCK", 7)
    parted = nearest(items, items.take(np.array([3])), 300)
    assert whole[0].shape == (1, 240), "no more than there are"
    assert np.array_equal(whole[0], parted[0])


def test_colour_decides_between_garments_of_one_cut(items: Items) -> None:
    one = items.take(np.array([0, 0, 0][:1]))
    red = replace(one, ids=("red",), colours=one.colours + np.array([10, 60, 60], np.float32))
    close = replace(one, ids=("close",), colours=one.colours + np.float32(2))
    places, _ = nearest(join([red, close]), one, 2)
    assert places[0].tolist() == [1, 0]

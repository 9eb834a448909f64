"""Evidence: signals fade, later ones replace earlier ones, and likes alone get a background."""

from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidInputError
from shared.taste.gallery import Gallery
from shared.taste.observations import (
    BACKGROUND,
    BACKGROUND_MOST,
    Evidence,
    Signal,
    fade,
    observe,
    standing,
)

DAY = timedelta(days=1)


@pytest.fixture
def seen(gallery: Gallery, now: datetime, rng: np.random.Generator) -> Callable[..., Evidence]:
    def observed(*signals: Signal) -> Evidence:
        return observe(signals, gallery, now=now, rng=rng)

    return observed


@given(st.integers(0, 5000), st.integers(1, 1000), st.integers(0, 5000))
def test_a_signal_halves_with_each_half_life_and_never_grows(
    age: int, half_life: int, older: int
) -> None:
    now, later = fade(age * DAY, half_life * DAY), fade((age + half_life) * DAY, half_life * DAY)
    assert later == pytest.approx(now / 2)
    assert 0 <= fade((age + older) * DAY, half_life * DAY) <= now <= 1


def test_a_signal_from_the_future_counts_as_fresh() -> None:
    assert fade(-3 * DAY) == 1


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.integers(0, 9)), max_size=12))
def test_the_latest_word_on_each_item_stands(told: list[tuple[str, bool, int]]) -> None:
    start = datetime.fromisoformat("2026-01-01T00:00+00:00")
    signals = [Signal("like" if good else "dislike", name, start + day * DAY)
               for name, good, day in told]  # fmt: skip
    held = standing(signals)
    assert [one.at for one in held] == sorted(one.at for one in held)
    assert {one.item for one in held} == {name for name, _, _ in told}
    for one in held:
        newest = max(other.at for other in signals if other.item == one.item)
        assert one == [s for s in signals if (s.item, s.at) == (one.item, newest)][-1]


def test_a_choice_stands_until_the_next_between_the_same_two(now: datetime) -> None:
    first = Signal("choice", "a", now - DAY, over="b")
    turned = Signal("choice", "b", now, over="a")
    other = Signal("choice", "a", now, over="c")
    assert standing([turned, first, other]) == [turned, other]


def test_a_row_of_a_choice_is_the_difference(
    gallery: Gallery, now: datetime, seen: Callable[..., Evidence]
) -> None:
    evidence = seen(Signal("choice", "g3", now, over="g5"))
    assert np.allclose(evidence.seen.rows[0], gallery.features[3] - gallery.features[5])
    assert (evidence.items.tolist(), evidence.over.tolist()) == ([3], [5])
    assert (evidence.background, evidence.said) == (0, 1)


def test_likes_alone_get_a_background_of_other_garments(
    now: datetime, seen: Callable[..., Evidence]
) -> None:
    evidence = seen(Signal("like", "g3", now), Signal("like", "g5", now - 180 * DAY))
    assert (evidence.said, evidence.background) == (2, BACKGROUND)
    assert evidence.effective == pytest.approx(1.5)
    passed = evidence.seen.weights[2:]
    assert passed.sum() == pytest.approx(1.5)
    assert (evidence.seen.signs[2:] == -1).all()
    assert not {3, 5} & set(evidence.items[2:].tolist())


def test_many_likes_ask_for_no_more_background(
    now: datetime, seen: Callable[..., Evidence]
) -> None:
    evidence = seen(*(Signal("like", f"g{number}", now) for number in range(60)))
    assert evidence.seen.weights[60:].sum() == pytest.approx(BACKGROUND_MOST)


def test_likes_that_dislikes_answer_need_no_background(
    now: datetime, seen: Callable[..., Evidence]
) -> None:
    evidence = seen(Signal("like", "g3", now), Signal("dislike", "g5", now))
    assert evidence.background == 0


def test_the_same_seed_gives_the_same_evidence(gallery: Gallery, now: datetime) -> None:
    signals = [Signal("like", "g3", now)]
    first, second, other = (
        observe(signals, gallery, now=now, rng=np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert np.array_equal(first.items, second.items)
    assert not np.array_equal(first.items, other.items)


def test_what_the_gallery_does_not_hold_is_named(
    now: datetime, seen: Callable[..., Evidence]
) -> None:
    evidence = seen(
        Signal("like", "gone", now), Signal("choice", "g1", now, over="lost"),
        Signal("dislike", "g2", now),
    )  # fmt: skip
    assert evidence.unknown == ("gone", "lost")
    assert evidence.items.tolist() == [2]


def test_no_signals_are_no_evidence(seen: Callable[..., Evidence]) -> None:
    assert len(seen().seen) == 0
    assert seen().effective == 0


@pytest.mark.parametrize(("kind", "over"), [("like", "b"), ("choice", None), ("choice", "a")])
def test_a_signal_that_makes_no_sense_is_refused(
    now: datetime, kind: str, over: str | None
) -> None:
    with pytest.raises(InvalidInputError, match="makes no sense"):
        Signal(kind, "a", now, over=over)  # type: ignore[arg-type]  # a wrong pair is the point


def test_a_signal_without_a_time_zone_is_refused(now: datetime) -> None:
    with pytest.raises(InvalidInputError, match="time zone"):
        Signal("like", "a", now.replace(tzinfo=None))

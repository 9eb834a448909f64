"""Words: what is liked is said with its strength and its evidence; what is uncertain is not."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from shared.schemas.taste import Belief, TasteInWords
from shared.taste import prior as priors
from shared.taste.gallery import Gallery
from shared.taste.learning import taste_of
from shared.taste.logistic import Gaussian
from shared.taste.observations import HALF_LIFE, Signal
from shared.taste.prior import Prior
from shared.taste.wishes import Wish
from shared.taste.words import CERTAIN, certainty_of, in_words, strength_of


def said(
    gallery: Gallery,
    signals: list[Signal],
    now: datetime,
    *wishes: Wish,
    prior: Prior | None = None,
) -> TasteInWords:
    taste = taste_of(
        signals, gallery, prior or priors.broad(gallery.space), now=now,
        rng=np.random.default_rng(0), wishes=wishes,
    )  # fmt: skip
    return in_words(taste.posterior, taste.evidence, gallery, wishes=wishes)


def navy_likes(now: datetime, age: timedelta = timedelta(0)) -> list[Signal]:
    """Like six navy garments of all categories and dislike six red ones."""
    navy = [Signal("like", f"g{4 * number}", now - age) for number in range(6)]
    return navy + [Signal("dislike", f"g{4 * number + 1}", now - age) for number in range(6)]


def belief_in(told: TasteInWords, value: str) -> Belief | None:
    return next((one for one in told.beliefs if one.value == value), None)


def test_six_likes_of_navy_are_said_so(gallery: Gallery, now: datetime) -> None:
    told = said(gallery, navy_likes(now), now)
    navy, red = belief_in(told, "navy"), belief_in(told, "red")
    assert navy is not None
    assert navy.text == f"likes navy ({navy.strength}, 6 signals)"
    assert navy.swatch == "#1c2748"
    assert navy.signals == 6
    assert red is not None
    assert red.text.startswith("avoids red (")
    assert told.signals == 12


def test_what_is_uncertain_is_not_claimed(gallery: Gallery, now: datetime) -> None:
    told = said(gallery, navy_likes(now), now)
    assert all(one.certainty >= CERTAIN for one in told.beliefs)
    assert belief_in(told, "dress") is None, "categories were liked and disliked alike"


def test_old_signals_are_worth_less(gallery: Gallery, now: datetime) -> None:
    told = said(gallery, navy_likes(now, age=HALF_LIFE), now)
    navy = belief_in(told, "navy")
    assert navy is not None
    assert navy.text.endswith("3 signals)")
    assert told.signals == pytest.approx(6)


def test_a_choice_speaks_for_what_only_the_chosen_one_has(gallery: Gallery, now: datetime) -> None:
    chosen = [
        Signal("choice", f"g{4 * number}", now, over=f"g{4 * number + 1}") for number in range(8)
    ]
    told = said(gallery, chosen, now)
    navy = belief_in(told, "navy")
    assert navy is not None
    assert navy.signals == 8


def test_a_wish_is_said_as_asked_for(gallery: Gallery, now: datetime) -> None:
    told = said(
        gallery, navy_likes(now), now,
        Wish("avoid", "category", "shirt"), Wish("want", "colour", "#7f3fbf"),
    )  # fmt: skip
    assert [one.text for one in told.beliefs[:2]] == [
        "avoids shirt (asked for)", "likes #7f3fbf (asked for)",
    ]  # fmt: skip
    assert told.beliefs[1].swatch == "#7f3fbf"
    assert [one.asked for one in told.beliefs[:3]] == [True, True, False]


def test_what_only_others_like_is_not_said_of_this_shopper(gallery: Gallery, now: datetime) -> None:
    mean = 5 * gallery.space.direction("category", "dress")
    popular = Prior(Gaussian(mean, 0.1 * np.eye(len(mean))), gallery.space.fingerprint, 100)
    assert said(gallery, [], now, prior=popular).beliefs == ()


def test_words_go_by_size_and_certainty_by_sign() -> None:
    assert [strength_of(effect) for effect in (-2, 1.5, 0.8, -0.3)] == [
        "strong", "strong", "clear", "slight",
    ]  # fmt: skip
    assert certainty_of(1, 1) == pytest.approx(0.841, abs=1e-3)
    assert certainty_of(-1, 1) == certainty_of(1, 1)
    assert (certainty_of(0, 0), certainty_of(0.1, 0)) == (0.5, 1)

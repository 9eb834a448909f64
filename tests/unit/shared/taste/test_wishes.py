"""Wishes: soft ones move the prior, hard ones filter, likes have the last word."""

from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

from shared.errors import ConflictError, InvalidInputError
from shared.taste import prior as priors
from shared.taste import space as spaces
from shared.taste.gallery import Gallery
from shared.taste.items import Items
from shared.taste.learning import taste_of
from shared.taste.observations import Signal
from shared.taste.wishes import STRENGTH, Wish, allowed, shifted

NAVY = np.arange(240) % 4 == 0


def scores(gallery: Gallery, *wishes: Wish) -> np.ndarray:
    return shifted(priors.broad(gallery.space).belief, wishes, gallery.space).means(
        gallery.features
    )


@pytest.mark.parametrize("value", ["navy", "#1c2748"])
def test_a_wanted_colour_comes_first_and_an_avoided_one_last(gallery: Gallery, value: str) -> None:
    wanted = scores(gallery, Wish("want", "colour", value))
    avoided = scores(gallery, Wish("avoid", "colour", value))
    assert wanted[NAVY].min() > wanted[~NAVY].max()
    assert avoided[NAVY].max() < avoided[~NAVY].min()


def test_a_wanted_value_gains_about_as_many_logits_as_a_wish_says(gallery: Gallery) -> None:
    dresses = gallery.items.having("category", "dress")
    found = scores(gallery, Wish("want", "category", "dress"))
    assert found[dresses].mean() - found.mean() == pytest.approx(STRENGTH, rel=0.3)


def test_a_want_and_an_avoid_of_the_same_cancel(gallery: Gallery) -> None:
    both = scores(gallery, Wish("want", "colour", "red"), Wish("avoid", "colour", "red"))
    assert np.abs(both).max() < 1e-6


def test_no_wish_leaves_the_prior_as_it_was(gallery: Gallery) -> None:
    prior = priors.broad(gallery.space).belief
    assert shifted(prior, [], gallery.space) is prior


def test_likes_have_the_last_word_against_a_wish(gallery: Gallery, now: datetime) -> None:
    navy = np.flatnonzero(NAVY)[:15]
    signals = [Signal("like", f"g{place}", now) for place in navy]
    taste = taste_of(
        signals, gallery, priors.broad(gallery.space), now=now, rng=np.random.default_rng(0),
        wishes=[Wish("avoid", "colour", "navy")],
    )  # fmt: skip
    found = taste.posterior.means(gallery.features)
    assert found[NAVY].mean() > found[~NAVY].mean()


def test_hard_wants_of_one_attribute_are_alternatives_and_of_two_both_hold(items: Items) -> None:
    wishes = [
        Wish("want", "category", "dress", hard=True),
        Wish("want", "category", "coat", hard=True),
        Wish("want", "colour", "navy", hard=True),
        Wish("avoid", "material", "wool", hard=True),
    ]
    left = allowed(items, wishes)
    expected = ~items.having("category", "shirt") & NAVY & ~items.having("material", "wool")
    assert np.array_equal(left, expected)


def test_soft_wishes_filter_nothing(items: Items) -> None:
    assert allowed(items, [Wish("avoid", "category", "dress")]).all()


def test_what_is_unknown_fails_a_hard_want_and_passes_a_hard_avoid(items: Items) -> None:
    labels = items.labels.copy()
    labels[0] = -1
    colours = items.colours.copy()
    colours[0] = np.nan
    unknown = replace(items, labels=labels, colours=colours)
    for attribute, value in (("category", "coat"), ("colour", "navy")):
        assert not allowed(unknown, [Wish("want", attribute, value, hard=True)])[0]
        assert allowed(unknown, [Wish("avoid", attribute, value, hard=True)])[0]


def test_a_hard_colour_code_means_colours_near_it(items: Items) -> None:
    left = allowed(items, [Wish("want", "colour", "#1c2748", hard=True)])
    assert left[NAVY].mean() > 0.9
    assert not left[~NAVY].any()


def test_a_colour_label_stands_in_where_colour_is_not_measured(items: Items) -> None:
    labelled = replace(
        items,
        colours=np.full_like(items.colours, np.nan),
        labels=np.where(NAVY, 0, 1).astype(np.int32)[:, None],
        vocabulary={"colour": ("navy", "sunset")},
    )
    assert np.array_equal(allowed(labelled, [Wish("want", "colour", "navy", hard=True)]), NAVY)
    assert np.array_equal(allowed(labelled, [Wish("want", "colour", "sunset", hard=True)]), ~NAVY)
    learned = spaces.learn(labelled)
    shift = shifted(priors.broad(learned).belief, [Wish("want", "colour", "sunset")], learned)
    found = shift.means(learned.features(labelled))
    assert found[~NAVY].mean() > found[NAVY].mean()


def test_a_colour_that_is_none_is_refused(items: Items, gallery: Gallery) -> None:
    with pytest.raises(InvalidInputError, match="is no colour"):
        allowed(items, [Wish("want", "colour", "sunset", hard=True)])
    with pytest.raises(InvalidInputError, match="cannot be wished for"):
        scores(gallery, Wish("want", "colour", "sunset"))


def test_a_prior_of_another_space_teaches_no_taste(gallery: Gallery, now: datetime) -> None:
    other = spaces.learn(gallery.items.take(np.arange(90)))
    with pytest.raises(ConflictError):
        taste_of([], gallery, priors.broad(other), now=now, rng=np.random.default_rng(0))

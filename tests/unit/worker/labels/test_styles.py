"""Styles: that they are found, keep their numbers, and that numbers are never given again."""

import numpy as np
import pytest
from numpy.typing import NDArray

from worker.labels.matching import agreement
from worker.labels.styles import FEWEST, Earlier, Styles, find_styles

Floats = NDArray[np.float32]
Codes = NDArray[np.int64]


def world(
    counts: list[int], *, seed: int = 0, centres: int = 8, noise: float = 0.35
) -> tuple[Floats, Codes]:
    """Return embeddings of crowds that are far apart, and which crowd each is of."""
    middles = np.random.default_rng(99).normal(size=(centres, 24))
    truth = np.repeat(np.arange(len(counts)), counts)
    rng = np.random.default_rng(seed)
    points = middles[truth] + noise * rng.normal(size=(len(truth), 24))
    spread = np.random.default_rng(5).normal(size=(24, 128)) / 5
    return (points @ spread).astype(np.float32), truth


def earlier_of(found: Styles, count: int) -> Earlier:
    """Return what was found, for a catalog that has `count` garments now."""
    styles = np.full(count, -1)
    styles[: len(found.numbers)] = found.numbers
    since = {style.number: style.since for style in found.styles}
    return Earlier(styles, found.next_number, found.chosen_for, since)


def first_styles(embeddings: Floats) -> Styles:
    found = find_styles(embeddings, earlier=None, version=1)
    assert found is not None
    return found


def later_styles(embeddings: Floats, earlier: Earlier, *, seed: int = 0) -> Styles:
    found = find_styles(embeddings, earlier=earlier, version=2, seed=seed)
    assert found is not None
    return found


def test_crowds_that_are_apart_are_styles() -> None:
    embeddings, truth = world([120] * 6)
    found = first_styles(embeddings)
    assert [style.number for style in found.styles] == [1, 2, 3, 4, 5, 6]
    inside = found.numbers >= 0
    assert inside.mean() > 0.95
    assert agreement(found.numbers[inside], truth[inside]) == pytest.approx(1)
    for style in found.styles:
        assert set(found.numbers[list(style.typical)]) == {style.number}
        assert style.kept is None


def test_the_same_garments_and_seed_give_the_same_styles() -> None:
    embeddings, _ = world([120] * 5)
    np.testing.assert_array_equal(
        first_styles(embeddings).numbers, first_styles(embeddings).numbers
    )


def test_a_garment_far_from_every_centre_has_no_style() -> None:
    embeddings, _ = world([150] * 5)
    strange = np.random.default_rng(3).normal(size=(6, 128)).astype(np.float32)
    found = first_styles(np.concatenate([embeddings, strange]))
    assert (found.numbers[-6:] == -1).sum() >= 5


def test_too_few_garments_have_no_styles() -> None:
    assert find_styles(world([20] * 6)[0], earlier=None, version=1) is None
    assert FEWEST > 20 * 6


def test_styles_keep_their_numbers_when_the_catalog_grows_and_another_encoder_looks() -> None:
    embeddings, _ = world([120] * 6, noise=0.8)
    before = first_styles(embeddings)
    more, _ = world([12] * 6, seed=7, noise=0.8)
    grown = np.concatenate([embeddings, more])
    turned = (grown @ np.linalg.qr(np.random.default_rng(8).normal(size=(128, 128)))[0]) * 3
    for seen in (grown, turned.astype(np.float32)):
        after = later_styles(seen, earlier_of(before, len(grown)), seed=50)
        had = before.numbers >= 0
        kept = after.numbers[: len(embeddings)][had] == before.numbers[had]
        assert kept.mean() > 0.97
        assert after.retired == ()
        assert all(style.since == 1 for style in after.styles)


def test_a_new_crowd_is_a_new_style_with_the_next_number() -> None:
    embeddings, _ = world([120] * 5)
    before = first_styles(embeddings)
    crowd, truth = world([0, 0, 0, 0, 0, 90], seed=4)
    assert set(truth) == {5}
    grown = np.concatenate([embeddings, crowd])
    after = later_styles(grown, earlier_of(before, len(grown)))
    (new,) = (style for style in after.styles if style.kept is None)
    assert (new.number, new.since) == (before.next_number, 2)
    assert (after.numbers[-90:] == new.number).mean() > 0.9
    assert after.next_number == before.next_number + 1


def test_the_number_of_a_style_that_went_is_never_given_again() -> None:
    embeddings, truth = world([120] * 6)
    before = first_styles(embeddings)
    left = truth != 2
    gone = int(np.bincount(before.numbers[truth == 2].clip(0)).argmax())
    crowd, _ = world([0, 0, 0, 0, 0, 0, 100], seed=4)
    now = np.concatenate([embeddings[left], crowd])
    styles = np.concatenate([before.numbers[left], np.full(100, -1)])
    earlier = Earlier(styles, before.next_number, before.chosen_for, {})
    after = later_styles(now, earlier)
    numbers = [style.number for style in after.styles]
    assert gone not in numbers
    assert before.next_number in numbers


def test_when_the_garments_have_doubled_the_number_of_styles_is_chosen_anew() -> None:
    embeddings, _ = world([100] * 4)
    before = first_styles(embeddings)
    assert before.agreements
    more, truth = world([100] * 8, seed=6)
    grown = np.concatenate([embeddings, more])
    after = later_styles(grown, earlier_of(before, len(grown)))
    assert after.agreements
    assert len(after.styles) > len(before.styles)
    assert {style.number for style in before.styles} <= {style.number for style in after.styles}
    had = np.concatenate([before.numbers, np.full(len(truth), -1)])
    known = had >= 0
    assert (after.numbers[known] == had[known]).mean() > 0.95


def test_after_a_time_without_styles_numbers_go_on() -> None:
    embeddings, _ = world([120] * 5)
    after = later_styles(embeddings, Earlier(np.full(600, -1), 9, 0, {}))
    assert [style.number for style in after.styles] == [9, 10, 11, 12, 13, 14][: len(after.styles)]

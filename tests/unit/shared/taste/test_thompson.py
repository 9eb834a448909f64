"""Proposals: what the taste likes, spread as far as it is uncertain, never what was ruled out."""

from collections import Counter

import numpy as np
import pytest

from shared import colour
from shared.errors import ConflictError
from shared.taste.gallery import Gallery
from shared.taste.logistic import Gaussian
from shared.taste.thompson import Known, propose, targets
from shared.taste.wishes import Wish

FULL = Known({"category": ("coat", "dress", "shirt"), "material": ("silk", "wool")}, colours=True)


def belief(gallery: Gallery, spread: float) -> Gaussian:
    weights = 4 * gallery.space.direction("category", "dress")
    weights += 4 * gallery.space.direction("colour", "navy")
    return Gaussian(weights, spread * np.eye(len(weights)))


def drawn(
    gallery: Gallery, spread: float, *wishes: Wish, release: Known = FULL, seed: int = 0
) -> list[dict[str, str]]:
    return propose(
        belief(gallery, spread), targets(gallery), release, count=40,
        rng=np.random.default_rng(seed), wishes=wishes,
    )  # fmt: skip


def family(condition: dict[str, str]) -> str:
    return colour.family_of(colour.hex_to_lab(condition["colour"]))


def test_a_sure_taste_asks_for_what_it_likes(gallery: Gallery) -> None:
    found = drawn(gallery, 0.05)
    assert {one["category"] for one in found} == {"dress"}
    assert {family(one) for one in found} == {"navy"}


def test_candidates_spread_with_the_doubt(gallery: Gallery) -> None:
    def kinds(spread: float) -> int:
        return len({(one.get("category"), family(one)) for one in drawn(gallery, spread)})

    assert kinds(0.05) < kinds(3) <= kinds(30)
    assert kinds(30) >= 8


def test_doubt_about_one_thing_leaves_what_is_sure(gallery: Gallery) -> None:
    weights = 6 * gallery.space.direction("category", "dress")
    along = gallery.space.direction("colour", "navy") - gallery.space.direction("colour", "red")
    unsure = Gaussian(weights, 5 * np.outer(along, along) / (along @ along))
    found = propose(unsure, targets(gallery), FULL, count=40, rng=np.random.default_rng(0))
    assert {one["category"] for one in found} == {"dress"}
    assert len(Counter(map(family, found))) >= 2


def test_the_same_seed_draws_the_same_candidates(gallery: Gallery) -> None:
    assert drawn(gallery, 1) == drawn(gallery, 1)
    assert drawn(gallery, 1) != drawn(gallery, 1, seed=1)


def test_hard_wishes_hold_for_every_candidate(gallery: Gallery) -> None:
    found = drawn(
        gallery, 30,
        Wish("want", "category", "coat", hard=True), Wish("want", "category", "shirt", hard=True),
        Wish("avoid", "colour", "navy", hard=True), Wish("avoid", "material", "wool", hard=True),
    )  # fmt: skip
    assert {one["category"] for one in found} == {"coat", "shirt"}
    assert "navy" not in {family(one) for one in found}
    assert "wool" not in {one.get("material") for one in found}


def test_an_exact_colour_that_is_a_must_is_asked_for_exactly(gallery: Gallery) -> None:
    found = drawn(gallery, 1, Wish("want", "colour", "#7F3FBF", hard=True))
    assert {one["colour"] for one in found} == {"#7f3fbf"}


def test_a_family_that_is_a_must_keeps_its_garments_shades(gallery: Gallery) -> None:
    found = drawn(gallery, 30, Wish("want", "colour", "green", hard=True))
    assert {family(one) for one in found} == {"green"}
    assert len({one["colour"] for one in found}) > 3


def test_only_what_the_release_knows_is_asked_for(gallery: Gallery) -> None:
    plain = drawn(gallery, 30, release=Known({"category": ("coat", "dress")}, colours=False))
    assert all(set(one) <= {"category"} for one in plain)
    assert {one.get("category") for one in plain} <= {"coat", "dress", None}


def test_a_colour_label_takes_the_family_of_the_measured_colour(gallery: Gallery) -> None:
    release = Known({"colour": ("navy", "red")}, colours=False)
    found = drawn(gallery, 0.05, release=release)
    assert {one["colour"] for one in found} == {"navy"}


@pytest.mark.parametrize(
    "wish",
    [
        Wish("want", "material", "cotton", hard=True),
        Wish("want", "season", "summer", hard=True),
        Wish("avoid", "season", "summer", hard=True),
    ],
)
def test_what_the_release_cannot_be_asked_for_is_refused(gallery: Gallery, wish: Wish) -> None:
    with pytest.raises(ConflictError, match="cannot be asked"):
        drawn(gallery, 1, wish)


def test_a_colour_that_is_a_must_needs_a_release_that_takes_colours(gallery: Gallery) -> None:
    release = Known({"category": ("coat",)}, colours=False)
    with pytest.raises(ConflictError, match="cannot be asked for colour"):
        drawn(gallery, 1, Wish("want", "colour", "navy", hard=True), release=release)


def test_wishes_that_no_garment_meets_are_refused(gallery: Gallery) -> None:
    with pytest.raises(ConflictError, match="No garment of the catalog"):
        drawn(gallery, 1, Wish("want", "colour", "purple", hard=True))


def test_sorts_are_labels_and_colour_family_together(gallery: Gallery) -> None:
    among = targets(gallery)
    first = among.sorts == among.sorts[0]
    assert {gallery.items.labels_of(int(place))["category"] for place in np.flatnonzero(first)} == {
        gallery.items.labels_of(0)["category"]
    }
    assert len(among.features) == len(set(among.sorts.tolist())) == 36

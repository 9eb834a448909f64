from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.colour import hex_to_lab
from shared.errors import ConflictError
from shared.schemas.designs import Term
from shared.schemas.jobs import DesignSpec
from shared.taste import prior, space
from shared.taste.gallery import Gallery, hang
from shared.taste.items import Items
from shared.taste.learning import taste_of
from shared.taste.observations import Signal
from shared.taste.thompson import targets
from shared.taste.wishes import Wish
from tests.fixtures.painter import Dyer
from worker.designs.batch import Member, draw
from worker.designs.orders import own
from worker.designs.personal import Liked, Shopper, chosen, orders_for

NOW = datetime(2026, 11, 26, tzinfo=UTC)
BLUE, RED = "#1f3a8f", "#c0202a"
SORTS = [("dress", BLUE), ("dress", RED), ("skirt", BLUE), ("skirt", RED)]


class Tailor(Dyer):
    """Its pictures are of the colour asked for."""

    def generate(
        self,
        seeds: Sequence[int],
        conditions: Sequence[Mapping[str, str]],
        *,
        temper: Sequence[float],  # noqa: ARG002 - the port's
        blends: Sequence[Sequence[tuple[int, float]]],  # noqa: ARG002 - the port's
    ) -> NDArray[np.uint8]:
        self.asked.extend(conditions)
        pictures = np.full((len(seeds), 32, 32, 3), 255, np.uint8)
        for picture, condition, seed in zip(pictures, conditions, seeds, strict=True):
            code = condition.get("colour", "#808080")
            picture[4:28, 4 : 20 + seed % 9] = [int(code[at : at + 2], 16) for at in (1, 3, 5)]
        return pictures


def embedding(category: str, code: str, rng: np.random.Generator) -> NDArray[np.float32]:
    made = rng.normal(0, 0.4, 128)
    made[0] += 3 if category == "dress" else -3
    made[1] += 3 if code == BLUE else -3
    return made.astype(np.float32)


@pytest.fixture(scope="module")
def gallery() -> Gallery:
    rng = np.random.default_rng(0)
    sorts = [SORTS[place % 4] for place in range(160)]
    colours = np.full((160, 2, 3), np.nan, np.float32)
    colours[:, 0] = [hex_to_lab(code) for _, code in sorts]
    items = Items(
        ids=tuple(f"gar_{place}" for place in range(160)),
        embeddings=np.stack([embedding(*sort, rng) for sort in sorts]),
        colours=colours,
        labels=np.array([[0 if sort[0] == "dress" else 1] for sort in sorts], np.int32),
        vocabulary={"category": ("dress", "skirt")},
    )
    return hang(items, space.learn(items))


def shopper(
    gallery: Gallery, *likes: int, wishes: Sequence[Wish] = (), liked: Sequence[Liked] = ()
) -> Shopper:
    signals = [Signal("like", f"gar_{place}", NOW) for place in likes]
    taste = taste_of(
        signals, gallery, prior.broad(gallery.space), wishes=wishes, now=NOW,
        rng=np.random.default_rng(1),
    )  # fmt: skip
    return Shopper(taste, gallery, targets(gallery), liked, [one for one in wishes if one.hard])


def spec(*, count: int = 6, candidates: int = 48, seed: int = 5, **changes: object) -> DesignSpec:
    way = {"type": "shopper", "shopper_id": "shop_a", "candidates": candidates}
    base = {
        "release_id": "rel", "count": count, "condition": {}, "seed": seed, "size": 32,
        "format": "png", "way": way,
    }  # fmt: skip
    return DesignSpec.model_validate({**base, **changes})


def designed(asked: DesignSpec, whom: Shopper) -> Member:
    tailor = Tailor()
    (member,) = draw(tailor, [asked], orders=lambda _, one: orders_for(one, whom, tailor))
    rng = np.random.default_rng(2)
    seen = tuple(
        replace(
            one,
            embedding=embedding(one.condition["category"], one.condition["colour"], rng),
            colours=np.stack([hex_to_lab(one.condition["colour"]), np.full(3, np.nan)]),
        )
        for one in member.drawn
    )
    return chosen(replace(member, drawn=seen), whom)


BLUE_DRESSES = (0, 4, 8, 12, 16, 20)


def test_the_designs_are_of_the_sort_that_the_shopper_likes(gallery: Gallery) -> None:
    member = designed(spec(), shopper(gallery, *BLUE_DRESSES))
    told = [(one.condition["category"], one.condition["colour"]) for one in member.drawn]
    assert len(told) == 6
    assert sum(one == ("dress", BLUE) for one in told) >= 4


def test_each_design_has_its_score_best_first_and_the_likes_that_moved_it(
    gallery: Gallery,
) -> None:
    member = designed(spec(), shopper(gallery, *BLUE_DRESSES))
    scores = [one.score for one in member.drawn]
    assert all(score is not None and 0 <= score <= 1 for score in scores)
    assert scores[0] == max(score for score in scores if score is not None)
    best = member.drawn[0].reasons
    assert best
    assert {reason.item for reason in best} <= {f"gar_{place}" for place in BLUE_DRESSES}


def test_a_shopper_of_whom_nothing_is_known_gets_designs_that_differ(gallery: Gallery) -> None:
    member = designed(spec(count=8), shopper(gallery))
    told = {(one.condition["category"], one.condition["colour"]) for one in member.drawn}
    assert len(member.drawn) == 8
    assert len(told) >= 3
    assert all(one.reasons == () for one in member.drawn)


def test_what_the_request_names_holds_for_every_candidate(gallery: Gallery) -> None:
    tailor = Tailor()
    orders = orders_for(
        spec(condition={"category": "skirt"}), shopper(gallery, *BLUE_DRESSES), tailor
    )
    assert {order.condition["category"] for order in orders} == {"skirt"}


def test_a_hard_wish_rules_out_what_is_otherwise(gallery: Gallery) -> None:
    wishes = [Wish("avoid", "colour", BLUE, hard=True)]
    member = designed(spec(), shopper(gallery, *BLUE_DRESSES, wishes=wishes))
    assert member.drawn
    assert {one.condition["colour"] for one in member.drawn} == {RED}


def test_half_of_the_candidates_are_in_a_colour_that_is_wanted_and_not_required(
    gallery: Gallery,
) -> None:
    whom = shopper(gallery, *BLUE_DRESSES, wishes=[Wish("want", "colour", "#2e7d32")])
    orders = orders_for(spec(), whom, Tailor())
    green = [order for order in orders if order.condition["colour"] == "#2e7d32"]
    assert len(green) == 24
    assert orders == orders_for(spec(), whom, Tailor())


def test_a_colour_that_must_be_is_not_mixed_with_one_that_may(gallery: Gallery) -> None:
    wishes = [Wish("want", "colour", RED, hard=True), Wish("want", "colour", "#2e7d32")]
    orders = orders_for(spec(), shopper(gallery, wishes=wishes), Tailor())
    assert {order.condition["colour"] for order in orders} == {RED}


def test_a_hard_wish_that_no_garment_meets_ends_the_member_alone(gallery: Gallery) -> None:
    wishes = [Wish("want", "colour", "#00ff00", hard=True)]
    whom = shopper(gallery, wishes=wishes)
    asked = spec(condition={"category": "dress", "colour": RED})
    member = designed(asked, whom)
    assert isinstance(member.error, ConflictError)


def test_some_candidates_begin_at_liked_designs(gallery: Gallery) -> None:
    latent = (Term(seed=900, weight=1.0),)
    liked = [Liked(latent, {"category": "skirt", "colour": RED})]
    tailor = Tailor()
    orders = orders_for(spec(), shopper(gallery, *BLUE_DRESSES, liked=liked), tailor)
    near = [order for order in orders if any(term.seed == 900 for term in order.latent)]
    assert len(near) == round(0.3 * 48)
    assert all(order.condition["colour"] == RED for order in near)
    assert sum(order.latent == own(order.seed) for order in orders) == 48 - len(near)


def test_the_same_job_proposes_the_same(gallery: Gallery) -> None:
    whom = shopper(gallery, *BLUE_DRESSES)
    assert orders_for(spec(), whom, Tailor()) == orders_for(spec(), whom, Tailor())
    assert orders_for(spec(), whom, Tailor()) != orders_for(spec(seed=6), whom, Tailor())


def test_copies_of_garments_are_not_chosen(gallery: Gallery) -> None:
    whom = shopper(gallery, *BLUE_DRESSES)
    tailor = Tailor()
    (member,) = draw(tailor, [spec()], orders=lambda _, one: orders_for(one, whom, tailor))
    copies = tuple(replace(one, is_copy=True) for one in member.drawn)
    ended = chosen(replace(member, drawn=copies), whom)
    assert "copies of garments" in str(ended.error)

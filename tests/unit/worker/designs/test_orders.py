import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.colour import hex_to_lab
from shared.schemas.designs import Fresh, Latent, Mix, Term, Variation, Walk
from shared.schemas.jobs import DesignSpec
from worker.designs.orders import between, orders_of, own, seeds_of

LATENTS = st.lists(
    st.tuples(st.integers(0, 40), st.floats(0.1, 1), st.booleans()), min_size=1, max_size=40,
    unique_by=lambda one: one[0],
).map(lambda terms: _unit([(seed, -w if minus else w) for seed, w, minus in terms]))  # fmt: skip


def _unit(terms: list[tuple[int, float]]) -> Latent:
    length = math.sqrt(sum(w * w for _, w in terms))
    return tuple(Term(seed=seed, weight=w / length) for seed, w in terms)


def spec(**changes: object) -> DesignSpec:
    base = {
        "release_id": "rel", "count": 3, "condition": {}, "seed": 5, "size": 32, "format": "png",
    }  # fmt: skip
    return DesignSpec.model_validate({**base, **changes})


def weights(latent: Latent) -> dict[int, float]:
    return {term.seed: term.weight for term in latent}


@given(LATENTS, LATENTS, st.floats(0, 1))
def test_a_latent_between_two_is_as_long_as_each(
    first: Latent, second: Latent, share: float
) -> None:
    total = {**weights(first)}
    for seed, weight in weights(second).items():
        total[seed] = total.get(seed, 0) + weight
    if max(abs(weight) for weight in total.values()) < 0.05:
        return  # opposite latents have nothing between them
    made = between(first, second, share)
    assert math.isclose(sum(term.weight**2 for term in made), 1, rel_tol=1e-6)
    assert len(made) <= 32


def test_no_strength_gives_the_design_itself_and_full_strength_a_new_one() -> None:
    base = (Term(seed=1, weight=0.6), Term(seed=2, weight=0.8))
    same = orders_of(spec(way=Variation(of="des_a", seed=1, latent=base, strength=0)), slots=0)
    assert [weights(order.latent) for order in same] == [pytest.approx({1: 0.6, 2: 0.8})] * 3
    # What the design's condition leaves open is drawn as it was drawn for the design.
    assert {order.seed for order in same} == {1}
    new = orders_of(spec(way=Variation(of="des_a", seed=1, latent=base, strength=1)), slots=0)
    assert [order.latent for order in new] == [own(seed) for seed in (5, 6, 7)]


def test_a_mix_lies_half_way_and_several_are_spread() -> None:
    way = Mix(of=("des_a", "des_b"), seeds=(1, 2), first=own(1), second=own(2), share=0.5)
    (half, *_) = orders_of(spec(way=way), slots=0)
    assert weights(half.latent) == pytest.approx({1: math.sqrt(0.5), 2: math.sqrt(0.5)})
    spread = orders_of(spec(way=way.model_copy(update={"share": None})), slots=0)
    parts = [weights(order.latent)[2] for order in spread]
    assert parts == sorted(parts)
    assert parts[0] == pytest.approx(math.sin(math.pi / 8))


def test_a_walk_begins_and_ends_at_its_designs_and_its_colours_go_along() -> None:
    way = Walk(
        of=("des_a", "des_b"), seeds=(1, 2), first=own(1), second=own(2), frames=5,
        frame_milliseconds=80,
        end_condition={"category": "skirt", "colour": "#ff0000"},
    )  # fmt: skip
    asked = spec(way=way, condition={"category": "dress", "colour": "#000000"})
    orders = orders_of(asked, slots=2)
    assert asked.images == len(orders) == 5
    assert (orders[0].latent, orders[-1].latent) == (own(1), own(2))
    assert [order.seed for order in orders] == [1, 1, 2, 2, 2]
    assert [order.condition["category"] for order in orders] == ["dress"] * 2 + ["skirt"] * 3
    light = [float(hex_to_lab(order.condition["colour"])[0]) for order in orders]
    assert light == sorted(light)
    assert orders[-1].condition["colour"] == "#ff0000"


def test_colour_words_reach_the_generator_as_codes() -> None:
    (order,) = orders_of(spec(count=1, condition={"colour": "navy"}), slots=2)
    assert order.condition["colour"].startswith("#")
    (label,) = orders_of(spec(count=1, condition={"colour": "navy"}), slots=0)
    assert label.condition == {"colour": "navy"}


def test_fresh_designs_have_the_latents_of_their_seeds() -> None:
    asked = spec(way=Fresh())
    assert [order.latent for order in orders_of(asked, slots=0)] == [
        own(s) for s in seeds_of(asked)
    ]

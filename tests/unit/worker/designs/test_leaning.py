"""Designs that lean towards what rises."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from shared.colour import hex_to_lab
from shared.errors import ConflictError
from shared.schemas.jobs import DesignSpec
from shared.taste.gallery import Gallery
from shared.taste.thompson import Targets, standardised, targets
from tests.unit.worker.designs import test_personal as personal
from tests.unit.worker.designs.test_personal import BLUE_DRESSES, RED, Tailor, embedding
from worker.designs.batch import Member, draw
from worker.designs.leaning import Lean, leaning_orders
from worker.designs.personal import Shopper, chosen, orders_for

gallery = personal.gallery  # the fixture


def towards(strength: float, **growth: float) -> Lean:
    """Return a lean; `skirt=0.5` says that skirts grow by a log of a half."""
    return Lean(strength, "rep_1", {("category", name): value for name, value in growth.items()})


def designed(lean: Lean | None, whom: Shopper, *, seed: int = 5) -> Member:
    tailor = Tailor()
    asked = personal.spec(seed=seed)
    (member,) = draw(tailor, [asked], orders=lambda _, one: orders_for(one, whom, tailor, lean))
    rng = np.random.default_rng(2)
    seen = tuple(
        replace(
            one,
            embedding=embedding(one.condition["category"], one.condition["colour"], rng),
            colours=np.stack([hex_to_lab(one.condition["colour"]), np.full(3, np.nan)]),
        )
        for one in member.drawn
    )
    return chosen(replace(member, drawn=seen), whom, lean=lean)


def skirts(member: Member) -> int:
    return sum(one.condition["category"] == "skirt" for one in member.drawn)


def test_the_dial_goes_from_own_taste_to_what_rises_and_tells_its_cost(gallery: Gallery) -> None:
    whom = personal.shopper(gallery, *BLUE_DRESSES)
    found = {
        strength: designed(towards(strength, skirt=0.5, dress=-0.2), whom)
        for strength in (0.1, 0.5, 1.0)
    }
    counts = [skirts(member) for member in found.values()]
    assert counts == sorted(counts)
    assert counts[0] <= 1
    assert counts[-1] == len(found[1.0].drawn)
    told = [member.told or {} for member in found.values()]
    costs = [one["cost"] for one in told]
    assert costs == sorted(costs)
    assert costs[-1] > 0.1
    for one, member in zip(told, found.values(), strict=True):
        mean = np.mean([each.score for each in member.drawn if each.score is not None])
        assert one["taste"] == pytest.approx(mean, abs=1e-3)
        assert one["cost"] == pytest.approx(one["taste_without"] - one["taste"], abs=1e-3)
        assert one["growth"] >= one["growth_without"] - 1e-9
        assert one["report_id"] == "rep_1"


def test_half_of_the_candidates_are_those_that_taste_alone_proposes(gallery: Gallery) -> None:
    whom = personal.shopper(gallery, *BLUE_DRESSES)
    alone = orders_for(personal.spec(), whom, Tailor())
    leant = orders_for(personal.spec(), whom, Tailor(), towards(1.0, skirt=0.5))
    same = sum(one == other for one, other in zip(alone, leant, strict=True))
    assert len(alone) == len(leant) == 48
    assert same >= 24
    assert sum(one.condition["category"] == "skirt" for one in leant) > sum(
        one.condition["category"] == "skirt" for one in alone
    )


def test_the_same_seed_and_report_give_the_same_designs(gallery: Gallery) -> None:
    whom = personal.shopper(gallery, *BLUE_DRESSES)
    lean = towards(0.6, skirt=0.4)
    first, second = designed(lean, whom), designed(lean, whom)
    assert [one.order for one in first.drawn] == [one.order for one in second.drawn]
    assert first.told == second.told
    other = designed(lean, whom, seed=6)
    assert [one.order for one in other.drawn] != [one.order for one in first.drawn]


def test_where_nothing_rises_taste_decides_and_nothing_is_lost(gallery: Gallery) -> None:
    whom = personal.shopper(gallery, *BLUE_DRESSES)
    member = designed(towards(0.5), whom)
    assert member.told is not None
    assert (member.told["moving"], member.told["cost"], member.told["growth"]) == (0, 0, 0)
    assert skirts(member) <= 1


def test_a_measured_colour_counts_as_far_as_it_belongs_to_its_family(gallery: Gallery) -> None:
    lean = Lean(1.0, "rep_1", {("colour", "red"): 0.5})
    rising = lean.of(gallery.items)
    red, blue = rising[1], rising[0]
    assert red > 0.2
    assert blue == pytest.approx(0, abs=0.02)


def among(gallery: Gallery) -> Targets:
    return targets(gallery)


def plain_spec(**changes: object) -> DesignSpec:
    base = {
        "release_id": "rel", "count": 64, "condition": {}, "seed": 5, "size": 32, "format": "png",
    }  # fmt: skip
    return DesignSpec.model_validate({**base, **changes})


def test_without_a_shopper_conditions_are_drawn_towards_what_rises(gallery: Gallery) -> None:
    counts = []
    for strength in (0.01, 0.5, 1.0):
        lean = towards(strength, skirt=0.5)
        orders, told = leaning_orders(plain_spec(), lean, among(gallery), Tailor())
        counts.append(Counter(one.condition["category"] for one in orders)["skirt"])
        assert told["growth"] >= told["growth_without"] - 0.08
    assert counts == sorted(counts)
    assert 22 <= counts[0] <= 42  # as the catalog has it: half
    assert counts[-1] >= 50  # exp(4 * 0.5) = 7.4 to one
    assert len({one.condition["colour"] for one in orders}) > 1


def test_what_the_request_names_holds_whatever_rises(gallery: Gallery) -> None:
    asked = plain_spec(condition={"category": "dress", "colour": RED})
    orders, told = leaning_orders(asked, towards(1.0, skirt=0.5), among(gallery), Tailor())
    assert {(one.condition["category"], one.condition["colour"]) for one in orders} == {
        ("dress", RED)
    }
    assert told["growth"] == 0


def test_a_condition_that_no_garment_has_is_refused(gallery: Gallery) -> None:
    asked = plain_spec(condition={"category": "hat"})
    with pytest.raises(ConflictError, match="nothing to draw from"):
        leaning_orders(asked, towards(1.0, skirt=0.5), among(gallery), Tailor())


def test_values_that_do_not_differ_standardise_to_nothing() -> None:
    np.testing.assert_allclose(standardised(np.array([2.0, 2.0])), 0)
    made = standardised(np.array([1.0, 2.0, 3.0]))
    assert (made.mean(), made.std()) == pytest.approx((0, 1))

"""A plan is decided by its seed, and leaves no kind of fault out."""

from itertools import pairwise

from tests.chaos.faults import DISTURBANCES, KILLS, Fault, plan


def test_the_same_seed_gives_the_same_plan_and_another_one_another() -> None:
    first = plan(7, seconds=60, every=3)
    assert first == plan(7, seconds=60, every=3)
    assert first != plan(8, seconds=60, every=3)
    assert list(first) == sorted(first)


def test_a_minute_holds_every_kind_of_fault() -> None:
    for seed in range(20):
        found = {step.fault for step in plan(seed, seconds=60, every=3)}
        assert found == set(Fault)


def test_kills_come_as_often_as_is_said_and_disturbances_between_them() -> None:
    steps = plan(1, seconds=300, every=3)
    kills = [step for step in steps if step.fault in KILLS]
    assert len(kills) == 99
    assert {round(b.at - a.at, 3) for a, b in pairwise(kills)} == {3.0}
    assert len([step for step in steps if step.fault in DISTURBANCES]) > 30


def test_what_cannot_be_done_is_left_out() -> None:
    steps = plan(1, seconds=300, every=3, without={Fault.FILL_DISK})
    assert Fault.FILL_DISK not in {step.fault for step in steps}

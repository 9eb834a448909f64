"""What a resume keeps of the first start."""

from dataclasses import replace

import pytest

from tests.unit.worker.gan.conftest import MakeGarments
from worker.gan.device import Device
from worker.gan.recipe import Hyperparameters, Precision, Recipe
from worker.gan.settling import settle, settle_again
from worker.gan.state import History, State

ABLE = Device("cpu", "able", "float32", compiled=False, halves=True)
UNABLE = Device("cpu", "unable", "float32", compiled=False)


@pytest.mark.parametrize(
    ("first", "asked", "then", "expected"),
    [
        (ABLE, "auto", ABLE, "bfloat16"),
        (ABLE, "auto", UNABLE, "float32"),
        (UNABLE, "auto", ABLE, "float32"),
        (ABLE, "float32", ABLE, "float32"),
        (UNABLE, "bfloat16", UNABLE, "bfloat16"),
    ],
)
def test_a_resume_keeps_its_precision_unless_the_device_would_emulate_it(
    first: Device, asked: Precision, then: Device, expected: str,
    garments: MakeGarments, tiny: Hyperparameters,
) -> None:  # fmt: skip
    dataset = garments()
    begun, choices = settle(Recipe(images=100, hyper=tiny), dataset, device=first, warm=None)
    saved = State(begun, choices, dataset.fingerprint, 1.0, 0, 0, {}, History())
    again, words = settle_again(
        Recipe(images=200, hyper=tiny, precision=asked), dataset, saved, device=then
    )
    assert again.precision == expected
    assert replace(again, precision=begun.precision, images=100) == begun
    told = [one for one in words if one not in choices]
    assert bool(told) is (again.precision != begun.precision)

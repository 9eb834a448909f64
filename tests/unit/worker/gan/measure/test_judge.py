import numpy as np
import pytest
from numpy.typing import NDArray

from shared.errors import InvalidInputError
from tests.unit.worker.gan.measure.conftest import Halves
from worker.gan.measure.extractors import Extractors
from worker.gan.measure.judge import AT_ONCE, Judge, Sampler, rows


def test_a_collapsed_generator_is_judged_further_from_the_catalog(
    extractors: Extractors, halves: Halves, drawn: Sampler, collapsed: Sampler
) -> None:
    judge = Judge(extractors.b, halves.test, distance="fd")
    good, bad = judge.read(drawn, 200, 0), judge.read(collapsed, 200, 0)
    assert bad.value > 3 * good.value
    assert bad.interval is not None
    assert good.interval is not None
    assert good.interval[1] < bad.interval[0]
    assert good.n == 200


def test_the_same_seed_is_judged_the_same(
    extractors: Extractors, halves: Halves, drawn: Sampler
) -> None:
    judge = Judge(extractors.b, halves.test)
    assert judge.read(drawn, 100, 5) == judge.read(drawn, 100, 5)
    assert judge.read(drawn, 100, 5) != judge.read(drawn, 100, 6)


def test_the_key_names_the_measure_and_a_small_reference_takes_the_kernel_distance(
    extractors: Extractors, halves: Halves
) -> None:
    assert extractors.a is not None
    digest = extractors.a.digest
    assert Judge(extractors.a, halves.test).key == f"kd_indomain[A@{digest}]"
    assert Judge(extractors.a, halves.test, distance="fd").key == f"fd_indomain[A@{digest}]"


def test_conditions_are_those_of_held_out_garments_and_seeds_differ_between_calls(
    extractors: Extractors, halves: Halves
) -> None:
    asked: list[NDArray[np.int32]] = []
    seeds: list[int] = []

    def sampler(
        labels: NDArray[np.int32], colours: NDArray[np.float32], seed: int
    ) -> NDArray[np.uint8]:
        assert colours.shape == (len(labels), 0, 3)
        asked.append(labels)
        seeds.append(seed)
        return np.zeros((len(labels), 16, 16, 3), np.uint8)

    n = AT_ONCE + 24
    Judge(extractors.c, halves.test).read(sampler, n, 0)
    assert [len(part) for part in asked] == [AT_ONCE, 24]
    assert len(set(seeds)) == 2
    times = n // halves.test.n
    assert n == times * halves.test.n
    expected = np.repeat(halves.test.label_matrix(), times, axis=0)
    assert sorted(np.concatenate(asked).tolist()) == sorted(expected.tolist())


def test_a_sampler_that_makes_too_few_is_told(extractors: Extractors, halves: Halves) -> None:
    judge = Judge(extractors.c, halves.test)
    with pytest.raises(InvalidInputError, match="asked for 50 images and made 1"):
        judge.read(lambda *_: np.zeros((1, 16, 16, 3), np.uint8), 50, 0)


def test_no_garment_is_asked_for_twice_before_all_were_once() -> None:
    found = rows(10, 25, seed=1)
    assert sorted(found[:10].tolist()) == list(range(10))
    assert np.bincount(found, minlength=10).max() == 3

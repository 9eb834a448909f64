import json

import numpy as np
from numpy.typing import NDArray

from worker.gan.combinations import Combinations

# category: 0 bag, 1 boots; colour: 0 black, 1 red; boots are never red, some have no colour.
LABELS: NDArray[np.int32] = np.array(
    [[0, 0]] * 30 + [[0, 1]] * 10 + [[1, 0]] * 15 + [[1, -1]] * 5, np.int32
)


def draw(*asked: int, count: int = 2000) -> NDArray[np.int32]:
    rows = np.tile(np.array(asked, np.int32), (count, 1))
    return Combinations.of(LABELS).fill(rows, range(count))


def test_what_was_asked_for_is_kept() -> None:
    assert (draw(1, -1)[:, 0] == 1).all()
    assert (draw(0, 1, count=5) == [0, 1]).all()


def test_what_is_left_open_is_drawn_as_the_catalog_has_it_with_the_rest() -> None:
    colours = draw(1, -1)[:, 1]
    assert set(colours.tolist()) == {0}
    red = draw(0, -1)[:, 1] == 1
    assert 0.20 < red.mean() < 0.30


def test_a_condition_that_no_garment_has_still_gets_its_open_labels() -> None:
    only_red = Combinations.of(np.array([[0, 1, 0], [1, 0, 1]], np.int32))
    filled = only_red.fill(np.array([[0, 0, -1]], np.int32), [3])
    assert filled[0, :2].tolist() == [0, 0]
    assert filled[0, 2] in {0, 1}


def test_a_filled_condition_is_filled() -> None:
    filled = draw(-1, -1)
    assert (filled >= 0).all()
    again = Combinations.of(LABELS).fill(filled, range(len(filled)))
    assert (again == filled).all()


def test_a_label_that_no_garment_has_stays_open() -> None:
    unlabelled = Combinations.of(np.array([[0, -1], [1, -1]], np.int32))
    assert unlabelled.fill(np.array([[-1, -1]], np.int32), [4])[0, 1] == -1


def test_a_draw_follows_from_its_own_seed_alone() -> None:
    combinations = Combinations.of(LABELS)
    asked = np.full((3, 2), -1, np.int32)
    alone = combinations.fill(asked[:1], [77])
    assert (combinations.fill(asked, [5, 77, 9])[1] == alone[0]).all()


def test_combinations_survive_json() -> None:
    before = Combinations.of(LABELS)
    after = Combinations.from_lists(before.as_lists())
    assert (after.codes == before.codes).all()
    assert (after.counts == before.counts).all()
    assert before.counts.tolist() == [30, 15, 10, 5]


COLOURS: NDArray[np.float32] = np.full((60, 2, 3), np.nan, np.float32)
COLOURS[:40, 0] = [20, 0, 0]  # bags are dark
COLOURS[40:55, 0] = [80, 10, 10]  # boots are light
COLOURS[40:45, 1] = [50, 60, 40]


def tints(labels: list[int], asked: list[list[float]]) -> NDArray[np.float32]:
    found = Combinations.of(LABELS, COLOURS)
    rows = np.tile(np.array([asked], np.float32), (200, 1, 1))
    return found.tint(rows, np.tile(np.array([labels], np.int32), (200, 1)), range(200))


NOTHING = [[np.nan] * 3, [np.nan] * 3]


def test_open_colours_are_those_of_a_garment_with_such_labels() -> None:
    assert (tints([0, 0], NOTHING)[:, 0, 0] == 20).all()
    boots = tints([1, 0], NOTHING)
    assert (boots[:, 0, 0] == 80).all()
    with_second = ~np.isnan(boots[:, 1, 0])
    assert 0.1 < with_second.mean() < 0.6


def test_a_colour_that_was_asked_for_is_kept_and_its_second_stays_open() -> None:
    asked = [[33.0, 1.0, 2.0], [np.nan] * 3]
    made = tints([1, 0], asked)
    assert (made[:, 0] == [33, 1, 2]).all()
    assert np.isnan(made[:, 1]).all()


def test_colours_survive_json() -> None:
    before = Combinations.of(LABELS, COLOURS)
    told = json.loads(json.dumps(before.colours_as_lists()))
    after = Combinations.from_lists(before.as_lists(), told)
    assert (after.coloured == before.coloured).all()
    np.testing.assert_array_equal(after.colours, before.colours)


def test_a_catalog_without_colours_leaves_none_to_draw() -> None:
    plain = Combinations.of(LABELS)
    assert plain.tint(np.zeros((2, 0, 3), np.float32), LABELS[:2], [1, 2]).shape == (2, 0, 3)

"""Rows as arrays."""

import numpy as np

from worker.jobs.datasets import SECOND_COLOUR_SHARE, encode_colours, encode_labels

NAVY = [15.0, 5.0, -20.0]
WHITE = [97.0, 0.0, 1.0]
RED = [45.0, 60.0, 40.0]


def test_a_palette_gives_its_main_colour_and_the_weightiest_other_one() -> None:
    palette = [[*NAVY, 0.4, "navy"], [*WHITE, 0.2, "white"], [*RED, 0.4, "red"]]
    colours = encode_colours([(1, palette)], count=2)
    assert colours.dtype == np.float32
    assert colours.shape == (2, 2, 3)
    np.testing.assert_allclose(colours[1], [NAVY, RED])
    assert np.isnan(colours[0]).all()


def test_a_colour_that_covers_little_is_no_second_one() -> None:
    def second(share: float) -> bool:
        palette = [[*NAVY, 0.8, "navy"], [*WHITE, share, "white"]]
        return bool(np.isfinite(encode_colours([(0, palette)], count=1)[0, 1]).all())

    assert second(SECOND_COLOUR_SHARE)
    assert not second(SECOND_COLOUR_SHARE - 0.001)


def test_a_garment_without_a_palette_has_no_known_colour() -> None:
    assert np.isnan(encode_colours([(0, [])], count=1)).all()


def test_rare_values_and_labels_that_say_nothing_are_left_out() -> None:
    places = [
        (row, {"category": "dress" if row % 2 else "coat", "fit": "slim"}) for row in range(20)
    ]
    places.append((20, {"category": "kilt"}))
    codes, vocabulary = encode_labels(places, count=22, attributes=("category", "fit", "none"))
    assert vocabulary == {"category": ("coat", "dress")}
    assert codes["category"].tolist() == [0, 1] * 10 + [-1, -1]

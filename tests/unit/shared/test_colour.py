"""Colour conversion, difference and names."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import colour
from shared.errors import InvalidInputError

# The 34 test pairs of Sharma, Wu and Dalal (2005), table 1.
SHARMA = """
50.0000 2.6772 -79.7751 50.0000 0.0000 -82.7485 2.0425
50.0000 3.1571 -77.2803 50.0000 0.0000 -82.7485 2.8615
50.0000 2.8361 -74.0200 50.0000 0.0000 -82.7485 3.4412
50.0000 -1.3802 -84.2814 50.0000 0.0000 -82.7485 1.0000
50.0000 -1.1848 -84.8006 50.0000 0.0000 -82.7485 1.0000
50.0000 -0.9009 -85.5211 50.0000 0.0000 -82.7485 1.0000
50.0000 0.0000 0.0000 50.0000 -1.0000 2.0000 2.3669
50.0000 -1.0000 2.0000 50.0000 0.0000 0.0000 2.3669
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0009 7.1792
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0010 7.1792
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0011 7.2195
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0012 7.2195
50.0000 -0.0010 2.4900 50.0000 0.0009 -2.4900 4.8045
50.0000 -0.0010 2.4900 50.0000 0.0010 -2.4900 4.8045
50.0000 -0.0010 2.4900 50.0000 0.0011 -2.4900 4.7461
50.0000 2.5000 0.0000 50.0000 0.0000 -2.5000 4.3065
50.0000 2.5000 0.0000 73.0000 25.0000 -18.0000 27.1492
50.0000 2.5000 0.0000 61.0000 -5.0000 29.0000 22.8977
50.0000 2.5000 0.0000 56.0000 -27.0000 -3.0000 31.9030
50.0000 2.5000 0.0000 58.0000 24.0000 15.0000 19.4535
50.0000 2.5000 0.0000 50.0000 3.1736 0.5854 1.0000
50.0000 2.5000 0.0000 50.0000 3.2972 0.0000 1.0000
50.0000 2.5000 0.0000 50.0000 1.8634 0.5757 1.0000
50.0000 2.5000 0.0000 50.0000 3.2592 0.3350 1.0000
60.2574 -34.0099 36.2677 60.4626 -34.1751 39.4387 1.2644
63.0109 -31.0961 -5.8663 62.8187 -29.7946 -4.0864 1.2630
61.2901 3.7196 -5.3901 61.4292 2.2480 -4.9620 1.8731
35.0831 -44.1164 3.7933 35.0232 -40.0716 1.5901 1.8645
22.7233 20.0904 -46.6940 23.0331 14.9730 -42.5619 2.0373
36.4612 47.8580 18.3852 36.2715 50.5065 21.2231 1.4146
90.8027 -2.0831 1.4410 91.1528 -1.6435 0.0447 1.4441
90.9257 -0.5406 -0.9208 88.6381 -0.8985 -0.7239 1.5381
6.7747 -0.2908 -2.4247 5.8714 -0.0985 -2.2286 0.6377
2.0776 0.0795 -1.1350 0.9033 -0.0636 -0.5514 0.9082
"""


def test_the_difference_agrees_with_the_34_published_pairs() -> None:
    pairs = np.array([line.split() for line in SHARMA.split("\n") if line], dtype=float)
    assert len(pairs) == 34
    measured = colour.delta_e(pairs[:, 0:3], pairs[:, 3:6])
    np.testing.assert_allclose(measured, pairs[:, 6], atol=1e-4)


@pytest.mark.parametrize(
    ("code", "lab"),
    [
        ("#ffffff", (100, 0, 0)),
        ("#000000", (0, 0, 0)),
        ("#ff0000", (53.24, 80.09, 67.20)),
        ("#00ff00", (87.73, -86.18, 83.18)),
        ("#0000ff", (32.30, 79.19, -107.86)),
    ],
)
def test_the_corners_of_srgb_have_their_published_lab(code: str, lab: tuple[float, ...]) -> None:
    np.testing.assert_allclose(colour.hex_to_lab(code), lab, atol=0.02)


@given(st.integers(0, 0xFFFFFF))
def test_a_code_survives_the_way_to_lab_and_back(number: int) -> None:
    code = f"#{number:06x}"
    assert colour.lab_to_hex(colour.hex_to_lab(code)) == code


def test_bytes_and_floats_give_the_same_lab() -> None:
    rgb = np.arange(240, dtype=np.uint8).reshape(-1, 3)
    np.testing.assert_allclose(
        colour.srgb_to_lab(rgb), colour.srgb_to_lab(rgb.astype(float)), atol=1e-3
    )


def test_short_codes_and_codes_without_the_mark_are_read() -> None:
    np.testing.assert_array_equal(colour.hex_to_lab("#abc"), colour.hex_to_lab("AABBCC"))


@pytest.mark.parametrize("code", ["", "#", "red", "#12345", "#1234567", "#gggggg", "ab  cd"])
def test_what_is_no_code_is_refused_with_what_was_expected(code: str) -> None:
    with pytest.raises(InvalidInputError, match="six hex digits"):
        colour.hex_to_lab(code)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("#0c0c0c", "black"),
        ("#ffffff", "white"),
        ("#7f7f7f", "grey"),
        ("#5b6770", "grey"),  # slate
        ("#d2b48c", "beige"),  # tan
        ("#654321", "brown"),
        ("#dc143c", "red"),  # crimson
        ("#800000", "burgundy"),  # maroon
        ("#ffc0cb", "pink"),
        ("#ff69b4", "pink"),  # hot pink
        ("#ffa500", "orange"),
        ("#ffdb58", "yellow"),  # mustard
        ("#228b22", "green"),
        ("#556b2f", "olive"),
        ("#008080", "teal"),
        ("#40e0d0", "teal"),  # turquoise
        ("#4169e1", "blue"),  # royal blue
        ("#87ceeb", "blue"),  # sky blue
        ("#000080", "navy"),
        ("#800080", "purple"),
        ("#c8a2c8", "purple"),  # lilac
    ],
)
def test_colours_have_the_names_that_people_use(code: str, name: str) -> None:
    assert colour.family_of(colour.hex_to_lab(code)) == name


def test_a_familys_swatch_belongs_to_it() -> None:
    for family in colour.FAMILIES:
        assert colour.family_of(colour.hex_to_lab(family.swatch)) == family.name


def test_many_colours_are_named_at_once_in_their_own_shape() -> None:
    labs = np.stack([colour.hex_to_lab(family.swatch) for family in colour.FAMILIES])
    found = colour.families_of(labs.reshape(4, 4, 3))
    np.testing.assert_array_equal(found, np.arange(16).reshape(4, 4))
    assert colour.families_of(np.empty((0, 3))).shape == (0,)


@pytest.mark.parametrize(
    ("code", "among", "nearest"),
    [
        ("#1c2748", ("navy", "red"), "navy"),
        ("#1c2748", ("blue", "red"), "blue"),
        ("#ff0000", ("Sunset", "burgundy", "green"), "burgundy"),
        ("#ff0000", ("Sunset",), None),
        ("#ff0000", (), None),
    ],
)
def test_a_code_finds_the_nearest_of_the_families_that_are_known(
    code: str, among: tuple[str, ...], nearest: str | None
) -> None:
    assert colour.nearest_family(code, among) == nearest


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("#1F3A5F", "#1f3a5f"), ("navy", "#1c2748"), ("Navy", None), ("sunset", None), ("", None),
        ("#1f3", None), ("1f3a5f", None), ("#1f3a5g", None), ("#1f3a5f\n", None),
    ],
)  # fmt: skip
def test_a_colour_is_a_code_or_a_family_for_its_swatch(given: str, code: str | None) -> None:
    assert colour.code_of(given) == code

"""Measuring the colours of garments."""

from datetime import date

import numpy as np
import pytest

from shared.colour import FAMILIES, FAMILY_NAMES, hex_to_lab, srgb_to_lab
from shared.demo import drawn, shapes
from worker.pictures.colours import (
    PaletteColour,
    garment_mask,
    main_and_second,
    measure_colours,
)

Array = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


def shirt(colour: tuple[int, ...], *, ground: int = 250, side: int = 32) -> Array:
    pixels = np.full((side, side, 3), ground, dtype=np.uint8)
    edge, quarter = side // 8, side // 4
    pixels[edge : side - edge, quarter : side - quarter] = colour
    return pixels


def rgb(code: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(code[1:]))


@pytest.mark.parametrize("family", FAMILIES, ids=FAMILY_NAMES)
def test_a_plain_garment_of_each_family_gets_its_name(family: object) -> None:
    swatch = getattr(family, "swatch")  # noqa: B009 - parametrized objects are untyped
    ground = 120 if getattr(family, "name") == "white" else 250  # noqa: B009 - same
    (measured,) = measure_colours(shirt(rgb(swatch), ground=ground)[None])
    assert measured.family == getattr(family, "name")  # noqa: B009 - same
    first = measured.palette[0]
    found = np.array([first.lightness, first.a, first.b])
    assert np.abs(found - hex_to_lab(swatch)).max() < 2


def test_the_ground_is_left_out_and_a_white_garment_on_white_keeps_its_inside() -> None:
    white = shirt((244, 243, 240), ground=252)
    white[4:28, [8, 23]] = white[[4, 27], 8:24] = 200  # its outline, in shadow
    (mask,) = garment_mask(srgb_to_lab(white[None]))
    assert mask[16, 16]
    assert not mask[1].any()
    (measured,) = measure_colours(white[None])
    assert measured.family == "white"


def test_a_picture_that_is_all_ground_is_measured_whole() -> None:
    (measured,) = measure_colours(np.full((1, 32, 32, 3), (200, 30, 40), dtype=np.uint8))
    assert measured.family == "red"
    assert len(measured.palette) == 1
    assert measured.palette[0].weight == pytest.approx(1)


def test_two_colours_have_their_weights() -> None:
    pixels = shirt((30, 60, 180))
    pixels[4:12, 8:24] = (240, 210, 60)
    (measured,) = measure_colours(pixels[None])
    assert measured.family == "blue"
    assert sum(colour.weight for colour in measured.palette) == pytest.approx(1, abs=1e-3)
    assert measured.palette[0].b < 0 < measured.palette[1].b
    assert [colour.family for colour in measured.palette] == ["blue", "yellow"]
    assert measured.palette[0].weight > 2 * measured.palette[1].weight


def test_a_pictures_colours_do_not_depend_on_its_neighbours_or_size() -> None:
    pixels = np.stack([shirt(rgb(family.swatch)) for family in FAMILIES])
    together = measure_colours(pixels)
    assert [measure_colours(pixels[i : i + 1])[0].family for i in range(16)] == [
        measured.family for measured in together
    ]
    larger = measure_colours(pixels.repeat(4, axis=1).repeat(4, axis=2))
    assert [measured.family for measured in larger] == [measured.family for measured in together]


def test_no_pictures_give_no_colours() -> None:
    assert measure_colours(np.empty((0, 32, 32, 3), dtype=np.uint8)) == []


def test_the_measured_family_of_drawn_plain_garments_is_the_colour_they_were_drawn_in() -> None:
    garments = [g for g in drawn.plan(count=600, end=date(2026, 1, 1)) if g.pattern == "plain"]
    rng = np.random.default_rng(0)
    pixels = np.stack(
        [np.asarray(shapes.draw(g.category, g.pattern, g.colour, rng)) for g in garments]
    )
    measured = measure_colours(pixels)
    right = [m.family == g.colour for m, g in zip(measured, garments, strict=True)]
    assert np.mean(right) > 0.93


def test_a_second_colour_is_one_that_covers_enough() -> None:
    main = PaletteColour(50, 10, 10, 0.6, "red")
    trim = PaletteColour(20, 0, 0, 0.3, "black")
    button = PaletteColour(90, 0, 0, 0.1, "white")
    both = main_and_second([(main, button, trim), (main, button), ()])
    assert both.shape == (3, 2, 3)
    assert both[0].tolist() == [[50, 10, 10], [20, 0, 0]]
    assert both[1, 0].tolist() == [50, 10, 10]
    assert np.isnan(both[1, 1]).all()
    assert np.isnan(both[2]).all()

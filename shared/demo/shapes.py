"""Garments drawn in code: eight silhouettes, five patterns, ten colours, at 32 pixels or more.

Each garment is drawn at 160 pixels and then averaged down, so that its edges are smooth. All
coordinates are in the pixels of a picture of 32, 0-32 from the top left.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Point = tuple[float, float]
Colour = tuple[int, int, int]
Layer = NDArray[np.float32]

SIZE: Final = 32
_SCALE: Final = 5
_CANVAS: Final = SIZE * _SCALE
_SCALES: Final = {32: 5, 80: 2, 160: 1}  # samples along a pixel's side, by the picture's
_GROUND: Final = 250  # a shop's near-white
_SHADOW: Final = 26  # how much darker the ground is right below a garment
_PALE: Final = 90  # cloth darker than this gets light seams
_ROWS, _COLUMNS = np.mgrid[0:_CANVAS, 0:_CANVAS].astype(np.float32) / _SCALE

# The cloth of each colour, and what its pattern is printed in.
CLOTHS: Final[dict[str, tuple[Colour, Colour]]] = {
    "black": ((34, 34, 38), (226, 222, 214)),
    "white": ((240, 240, 238), (96, 122, 170)),
    "grey": ((138, 141, 146), (236, 236, 234)),
    "beige": ((217, 196, 162), (128, 88, 56)),
    "brown": ((116, 76, 46), (230, 208, 172)),
    "red": ((198, 36, 44), (250, 234, 226)),
    "pink": ((238, 132, 172), (252, 240, 244)),
    "yellow": ((244, 206, 62), (86, 82, 84)),
    "green": ((46, 128, 74), (232, 240, 218)),
    "blue": ((58, 108, 194), (234, 240, 250)),
}


@dataclass(slots=True)
class Sketch:
    """What a silhouette is made of, from the back to the front.

    Attributes:
        parts: closed outlines and how bright each is (1 is the cloth as it is).
        bands: outlines inside the parts that are darker or lighter cloth: hems, cuffs, collars.
        lines: open strokes and their width; seams, plackets, lapels.
        dots: buttons and clasps, with their radius.
        straps: open strokes of cloth outside the parts: handles.
    """

    parts: list[tuple[list[Point], float]] = field(default_factory=list)
    bands: list[tuple[list[Point], float]] = field(default_factory=list)
    lines: list[tuple[list[Point], float]] = field(default_factory=list)
    dots: list[tuple[Point, float]] = field(default_factory=list)
    straps: list[tuple[list[Point], float]] = field(default_factory=list)


def draw(
    category: str, pattern: str, colour: str, rng: np.random.Generator, *, size: int = SIZE
) -> Image.Image:
    """Return one RGB garment on a near-white ground.

    The generator varies the cut, the shade and where the pattern falls; the same state of it gives
    the same picture.

    Args:
        category: of `SILHOUETTES`.
        pattern: of `PATTERNS`.
        colour: of `CLOTHS`.
        rng: where chance comes from.
        size: the picture's side, px: 32, 80 or 160.

    Raises:
        KeyError: a category, pattern, colour or size that is not drawn.
    """
    scale = _SCALES[size]
    sketch = _posed(SILHOUETTES[category](rng), rng)
    cloth, print_ = (_varied(shade, rng) for shade in CLOTHS[colour])
    coverage = PATTERNS[pattern](rng)[..., None]
    outline, light = _shaded(sketch)
    fabric = (cloth + coverage * (print_ - cloth)) * light[..., None]
    # Seams and buttons are darker than pale cloth and lighter than dark cloth, to be seen on both.
    thread = np.float32(-0.38 * cloth.mean() if cloth.mean() > _PALE else 62.0)
    fabric += (thread * _stitches(sketch))[..., None]

    worn = _averaged(np.clip(fabric, 0, 255) * outline[..., None], scale)
    there = _averaged(outline[..., None], scale)
    ground = _GROUND - _SHADOW * _blurred(there)
    picture = np.rint(worn + (1 - there) * ground)
    return Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))


def _posed(sketch: Sketch, rng: np.random.Generator) -> Sketch:
    """Another cut and another hand that laid it out: wider or longer, a little turned or moved."""
    wide, long = rng.uniform(0.92, 1.03), rng.uniform(0.92, 1.03)
    turn, right, down = rng.normal(0, 0.025), rng.uniform(-0.7, 0.7), rng.uniform(-0.6, 0.6)

    def pose(point: Point) -> Point:
        x, y = (point[0] - 16) * wide, (point[1] - 16) * long
        return (16 + right + x - turn * y, 16 + down + y + turn * x)

    return Sketch(
        parts=[([pose(point) for point in points], level) for points, level in sketch.parts],
        bands=[([pose(point) for point in points], level) for points, level in sketch.bands],
        lines=[([pose(point) for point in points], width) for points, width in sketch.lines],
        dots=[(pose(point), radius) for point, radius in sketch.dots],
        straps=[([pose(point) for point in points], width) for points, width in sketch.straps],
    )


def _varied(shade: Colour, rng: np.random.Generator) -> Layer:
    """Another dye lot: a little lighter or darker, warmer or cooler."""
    varied = np.array(shade) + rng.normal(0, 8) + rng.normal(0, 3.5, 3)
    return np.clip(varied, 0, 255).astype(np.float32)


def _shaded(sketch: Sketch) -> tuple[Layer, Layer]:
    """Return where the garment is (0-1) and how bright its cloth is there."""
    outline, light, bands = (Image.new("L", (_CANVAS, _CANVAS), fill) for fill in (0, 0, 200))
    for stroke, width in sketch.straps:
        _stroke(outline, stroke, width, 255)
        _stroke(light, stroke, width, 168)
    for points, brightness in sketch.parts:
        level, rim = round(200 * brightness), round(145 * brightness)
        ImageDraw.Draw(outline).polygon(_placed(points), fill=255)
        ImageDraw.Draw(light).polygon(_placed(points), fill=level, outline=rim, width=3)
    for points, brightness in sketch.bands:
        ImageDraw.Draw(bands).polygon(_placed(points), fill=round(200 * brightness))
    across = np.linspace(1.07, 0.90, _CANVAS, dtype=np.float32)  # lit from the left
    down = np.linspace(1.03, 0.95, _CANVAS, dtype=np.float32)
    shade = _layer(light) * _layer(bands) * np.float32((255 / 200) ** 2)
    return _layer(outline), shade * across[None] * down[:, None]


def _stitches(sketch: Sketch) -> Layer:
    image = Image.new("L", (_CANVAS, _CANVAS))
    for stroke, width in sketch.lines:
        _stroke(image, stroke, width, 170)
    for centre, radius in sketch.dots:
        _ellipse(ImageDraw.Draw(image), *centre, radius, 255)
    return _layer(image) * np.float32(1.5)


def _placed(points: list[Point]) -> list[Point]:
    return [(x * _SCALE, y * _SCALE) for x, y in points]


def _stroke(image: Image.Image, points: list[Point], width: float, level: int) -> None:
    ImageDraw.Draw(image).line(
        _placed(points), fill=level, width=round(width * _SCALE), joint="curve"
    )


def _layer(image: Image.Image) -> Layer:
    return np.asarray(image, dtype=np.float32) / np.float32(255)


def _averaged(large: Layer, scale: int) -> Layer:
    """Return the picture's own pixels, each the mean of its samples."""
    size = _CANVAS // scale
    blocks = large.reshape(size, scale, size, scale, large.shape[2])
    return np.asarray(blocks.mean(axis=(1, 3)), dtype=np.float32)


def _blurred(there: Layer) -> Layer:
    """Return the soft shadow on the ground, a little below and to the right."""
    larger = len(there) / SIZE
    image = Image.fromarray(np.rint(255 * there[..., 0]).astype(np.uint8))
    blurred = _layer(image.filter(ImageFilter.GaussianBlur(1.4 * larger)))
    return np.roll(blurred, (round(larger), 0), axis=(0, 1))[..., None]


def _mirrored(half: list[Point], *, centre: float = 16) -> list[Point]:
    """Close a right half, given from top to bottom, with its mirror image; corners are rounded."""
    return _rounded(half + [(2 * centre - x, y) for x, y in reversed(half)])


def _flipped(points: list[Point], *, centre: float = 16) -> list[Point]:
    return [(2 * centre - x, y) for x, y in points]


def _rounded(points: list[Point], *, times: int = 2) -> list[Point]:
    """Cut each corner of a closed outline by an eighth of its sides (Chaikin's scheme)."""
    outline = np.array(points)
    for _ in range(times):
        following = np.roll(outline, -1, axis=0)
        pair = np.stack([0.88 * outline + 0.12 * following, 0.12 * outline + 0.88 * following], 1)
        outline = pair.reshape(-1, 2)
    return [(float(x), float(y)) for x, y in outline]


def _both(points: list[Point], brightness: float) -> list[tuple[list[Point], float]]:
    return [(_rounded(points), brightness), (_rounded(_flipped(points)), brightness)]


def _t_shirt(rng: np.random.Generator) -> Sketch:
    wide, hem = 6.4 + rng.uniform(-0.5, 0.7), 26 + rng.uniform(-1.2, 1.2)
    side, cuff = 16 + wide, 14 + rng.uniform(-0.8, 0.8)
    sleeve = [(20.0, 6.2), (side + 6.2, cuff - 2.2), (side + 3.6, cuff + 1.4), (side - 0.6, 12.4)]
    body = [(16.0, 8.6), (18.0, 8.0), (19.4, 5.8), (side, 7.6), (side, hem), (16.0, hem + 0.4)]
    neck = [(12.4, 5.9), (14.0, 8.2), (16.0, 9.0), (18.0, 8.2), (19.6, 5.9)]
    return Sketch(parts=[*_both(sleeve, 0.90), (_mirrored(body), 1.0)], lines=[(neck, 0.7)])


def _jumper(rng: np.random.Generator) -> Sketch:
    wide, hem = 6.6 + rng.uniform(-0.5, 0.7), 25.6 + rng.uniform(-1, 1)
    side, cuff = 16 + wide, 24.6 + rng.uniform(-1, 0.6)
    out = side + 3.6 + rng.uniform(-0.6, 0.8)
    sleeve = [(20.0, 5.8), (side + 1.8, 9.4), (out + 1.0, cuff), (out - 2.4, cuff + 0.6)]
    sleeve += [(side - 1.0, 13.0)]
    cuffs = [(out - 3.0, cuff - 1.8), (out + 1.6, cuff - 2.2), (out + 1.6, cuff + 1.2)]
    cuffs += [(out - 3.0, cuff + 1.2)]
    body = [(16.0, 5.2), (18.8, 4.6), (20.0, 5.6), (side, 8.0), (side, hem), (16.0, hem)]
    ribs = [(16 - side, hem - 2.4), (side + 16, hem - 2.4), (side + 16, hem + 1), (0, hem + 1)]
    collar = [(12.6, 4.0), (19.4, 4.0), (18.8, 6.4), (16.0, 7.4), (13.2, 6.4)]
    return Sketch(
        parts=[*_both(sleeve, 0.90), (_mirrored(body), 1.0), (_rounded(collar), 0.82)],
        bands=[(cuffs, 0.80), (_flipped(cuffs), 0.80), ([*ribs], 0.82)],
    )


def _dress(rng: np.random.Generator) -> Sketch:
    waist, hem = 3.2 + rng.uniform(-0.3, 0.5), 29 + rng.uniform(-2.4, 0.6)
    flare, line = 8.4 + rng.uniform(-1.4, 1.4), 13.4 + rng.uniform(-0.8, 0.8)
    body = [(16.0, 6.6), (17.6, 6.0), (18.6, 3.0), (20.2, 3.0), (20.4, 7.6), (16 + waist, line)]
    body += [(16 + flare * 0.72, 21.0), (16 + flare, hem - 0.8), (16.0, hem)]
    folds = [
        [(16 + at * waist * 0.5, line + 2), (16 + at * flare * 0.55, hem - 1)] for at in (-1, 1)
    ]
    belt = [(8.0, line - 0.7), (24.0, line - 0.7), (24.0, line + 0.8), (8.0, line + 0.8)]
    return Sketch(
        parts=[(_mirrored(body), 1.0)], bands=[(belt, 0.66)], lines=[(fold, 0.4) for fold in folds]
    )


def _skirt(rng: np.random.Generator) -> Sketch:
    waist, hem = 4.4 + rng.uniform(-0.4, 0.5), 24.6 + rng.uniform(-2, 2.2)
    flare = 9.4 + rng.uniform(-1.8, 1.6)
    body = [(16.0, 8.0), (16 + waist, 8.0), (16 + waist + 1.2, 12.0), (16 + flare, hem - 0.8)]
    body += [(16.0, hem + 0.6)]
    band = [(8.0, 7.0), (24.0, 7.0), (24.0, 9.9), (8.0, 9.9)]
    pleats = [[(16 + at * waist, 10.4), (16 + at * flare, hem - 0.6)] for at in (-0.5, 0.0, 0.5)]
    return Sketch(
        parts=[(_mirrored(body), 1.0)],
        bands=[(band, 0.70)],
        lines=[(pleat, 0.45) for pleat in pleats],
    )


def _trousers(rng: np.random.Generator) -> Sketch:
    waist, hem = 4.6 + rng.uniform(-0.4, 0.5), 28.8 + rng.uniform(-0.8, 0.6)
    ankle, leg = 6.4 + rng.uniform(-0.8, 1.4), 2.9 + rng.uniform(-0.5, 1.0)
    right = [(15.8, 3.0), (16 + waist, 3.0), (16 + waist + 0.9, 9.0), (16 + ankle, hem)]
    right += [(16 + ankle - leg - 1.0, hem), (16.2, 12.6), (15.8, 12.0)]
    band = [(8.0, 2.0), (24.0, 2.0), (24.0, 4.8), (8.0, 4.8)]
    return Sketch(
        parts=[*_both(right, 1.0)],
        bands=[(band, 0.72)],
        lines=[([(16.0, 4.8), (16.0, 10.4)], 0.5)],
    )


def _coat(rng: np.random.Generator) -> Sketch:
    wide, hem = 6.2 + rng.uniform(-0.4, 0.6), 29 + rng.uniform(-1.6, 0.8)
    side, cuff = 16 + wide, 21.6 + rng.uniform(-0.8, 0.8)
    sleeve = [(19.6, 4.2), (side + 1.6, 6.8), (side + 4.0, cuff), (side + 0.8, cuff + 0.6)]
    sleeve += [(side - 1.2, 12.0)]
    body = [(16.0, 4.8), (18.4, 2.6), (side - 0.6, 5.2), (side - 0.2, 15.0), (side + 1.4, hem)]
    body += [(16.0, hem)]
    lapel = [(16.2, 12.0), (17.6, 3.0), (20.6, 6.4), (19.4, 8.6)]
    belt = [(6.0, 15.4), (26.0, 15.4), (26.0, 17.2), (6.0, 17.2)]
    return Sketch(
        parts=[*_both(sleeve, 0.86), (_mirrored(body), 1.0)],
        bands=[(lapel, 0.74), (_flipped(lapel), 0.74), (belt, 0.78)],
        lines=[([(16.0, 12.0), (16.0, hem)], 0.55)],
        dots=[((14.2, y), 0.55) for y in (13.4, 19.4, 22.8)],
    )


def _bag(rng: np.random.Generator) -> Sketch:
    wide, top = 9.6 + rng.uniform(-1.2, 1.0), 13.6 + rng.uniform(-1, 0.8)
    rise, foot = 8.6 + rng.uniform(-1.2, 1.4), 27 + rng.uniform(-0.8, 0.8)
    body = [(16.0, top), (16 + wide - 1.8, top), (16 + wide, foot), (16.0, foot)]
    turns = np.linspace(np.pi, 2 * np.pi, 24)
    handle = [(float(16 + 5.4 * np.cos(t)), float(top + 1 + rise * np.sin(t))) for t in turns]
    flap = [(6.0, top - 1), (26.0, top - 1), (26.0, top + 4.4), (16.0, top + 6.4), (6.0, top + 4.4)]
    edge = [(16 - wide, top + 4.4), (16.0, top + 6.4), (16 + wide, top + 4.4)]
    return Sketch(
        straps=[(handle, 1.5)],
        parts=[(_mirrored(body), 1.0)],
        bands=[(flap, 0.86)],
        lines=[(edge, 0.5)],
        dots=[((16.0, top + 6.2), 1.1)],
    )


def _boots(rng: np.random.Generator) -> Sketch:
    top, wide = 5.0 + rng.uniform(-1.6, 3.0), 6.8 + rng.uniform(-0.5, 0.8)
    toe, heel = 25.4 + rng.uniform(-0.8, 1.0), 2.2 + rng.uniform(-0.6, 1.2)
    sole = 28.0 - heel
    boot = [(8.4, top), (8.4 + wide, top), (8.0 + wide, 18.6), (19.0, 21.0), (toe, 22.8)]
    boot += [(toe + 0.6, sole + 0.8), (8.0, sole + 0.8), (8.8, 18.0)]
    ground = [(7.9, sole), (toe + 0.8, sole), (toe + 0.6, sole + 1.2), (12.0, sole + 1.2)]
    ground += [(11.6, 28.4), (8.0, 28.4)]
    cuff = [(6.0, top - 1), (20.0, top - 1), (20.0, top + 1.8), (6.0, top + 1.8)]
    return Sketch(
        parts=[(ground, 0.50), (_rounded(boot), 1.0)],
        bands=[(cuff, 0.78)],
        lines=[([(7.6 + wide * 0.62, top + 2), (7.6 + wide * 0.62, 18.4)], 0.5)],
    )


def _plain(_: np.random.Generator) -> Layer:
    return np.zeros((_CANVAS, _CANVAS), dtype=np.float32)


def _grid(rng: np.random.Generator) -> tuple[Layer, Layer]:
    """Rows and columns in pixels of the final picture, shifted by chance."""
    return _ROWS + np.float32(rng.uniform(0, 8)), _COLUMNS + np.float32(rng.uniform(0, 8))


def _striped(rng: np.random.Generator) -> Layer:
    rows, _ = _grid(rng)
    return (rows % 4.0 < 1.7).astype(np.float32)  # noqa: PLR2004 - the width of a stripe


def _checked(rng: np.random.Generator) -> Layer:
    rows, columns = _grid(rng)
    across = (rows % 5.0 < 2.2).astype(np.float32)  # noqa: PLR2004 - the width of a band
    along = (columns % 5.0 < 2.2).astype(np.float32)  # noqa: PLR2004 - the width of a band
    return np.asarray(0.45 * (across + along), dtype=np.float32)


def _dotted(rng: np.random.Generator) -> Layer:
    rows, columns = _grid(rng)
    odd = np.floor(rows / 3.4) % 2
    across = (columns + 1.9 * odd) % 3.8 - 1.9
    down = rows % 3.4 - 1.7
    return np.asarray(across**2 + down**2 < 1.0, dtype=np.float32)


def _floral(rng: np.random.Generator) -> Layer:
    """Blossoms of five petals with an open heart, strewn on a loose lattice."""
    image = Image.new("L", (_CANVAS, _CANVAS))
    pen = ImageDraw.Draw(image)
    start = rng.uniform(-5, 0)
    for row, y in enumerate(np.arange(start, SIZE + 3, 5.2)):
        for x in np.arange(start + 2.9 * (row % 2), SIZE + 3, 5.8):
            _blossom(pen, (x + rng.uniform(-0.7, 0.7), y + rng.uniform(-0.7, 0.7)), rng)
    return _layer(image)


def _blossom(pen: ImageDraw.ImageDraw, at: Point, rng: np.random.Generator) -> None:
    turn, reach = rng.uniform(0, 2 * np.pi), rng.uniform(1.15, 1.45)
    for petal in range(5):
        angle = turn + petal * 2 * np.pi / 5
        _ellipse(pen, at[0] + reach * np.cos(angle), at[1] + reach * np.sin(angle), 0.95, 255)
    _ellipse(pen, *at, 0.75, 40)


def _ellipse(pen: ImageDraw.ImageDraw, x: float, y: float, radius: float, fill: int) -> None:
    box = [(value * _SCALE) for value in (x - radius, y - radius, x + radius, y + radius)]
    pen.ellipse(box, fill=fill)


SILHOUETTES: Final[dict[str, Callable[[np.random.Generator], Sketch]]] = {
    "t-shirt": _t_shirt,
    "jumper": _jumper,
    "dress": _dress,
    "skirt": _skirt,
    "trousers": _trousers,
    "coat": _coat,
    "bag": _bag,
    "boots": _boots,
}
PATTERNS: Final[dict[str, Callable[[np.random.Generator], Layer]]] = {
    "plain": _plain,
    "striped": _striped,
    "checked": _checked,
    "dotted": _dotted,
    "floral": _floral,
}

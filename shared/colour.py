"""Colour as people see and name it: sRGB, CIELAB, CIEDE2000 and sixteen families."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shared.errors import InvalidInputError

Floats = NDArray[np.float32]

# IEC 61966-2-1 (sRGB, D65) to CIE XYZ, divided by the white point, so that white is 1, 1, 1.
_WHITE: Final = np.array([0.95047, 1.0, 1.08883])
_TO_XYZ: Final = (
    np.array(
        [
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.0721750],
            [0.0193339, 0.1191920, 0.9503041],
        ]
    )
    / _WHITE[:, None]
)
_TO_RGB: Final = np.linalg.inv(_TO_XYZ)
_HEX: Final = re.compile(r"#?(?:([0-9a-fA-F]{6})|([0-9a-fA-F]{3}))")
_CODE: Final = re.compile(r"#[0-9a-fA-F]{6}")
_EPSILON: Final = 216 / 24389  # where CIELAB turns from cube root to straight line (CIE 15)
_KAPPA: Final = 24389 / 27
_HALF_TURN: Final = 180


def _linear(encoded: NDArray[np.float64]) -> NDArray[np.float64]:
    """Undo the sRGB transfer curve; values 0 to 1."""
    low = encoded / 12.92
    high = ((np.maximum(encoded, 0.04045) + 0.055) / 1.055) ** 2.4
    return np.where(encoded <= 0.04045, low, high)  # noqa: PLR2004 - the standard's constant


_LINEAR_OF_BYTE: Final = _linear(np.arange(256) / 255).astype(np.float32)


def srgb_to_lab(rgb: ArrayLike) -> Floats:
    """Return CIELAB (D65) of sRGB values on the 0-255 scale.

    Args:
        rgb: ``[..., 3]``; bytes take a table and are fast, other types are clipped to 0-255.

    Returns:
        float32 ``[..., 3]``: L 0-100, a and b about -128 to 127.
    """
    values = np.asarray(rgb)
    if values.dtype == np.uint8:
        linear = _LINEAR_OF_BYTE[values]
    else:
        clipped = np.clip(values.astype(np.float64), 0, 255) / 255
        linear = _linear(clipped).astype(np.float32)
    xyz = linear @ _TO_XYZ.T.astype(np.float32)
    curved = np.where(xyz > _EPSILON, np.cbrt(xyz), (_KAPPA * xyz + 16) / 116)
    x, y, z = curved[..., 0], curved[..., 1], curved[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1).astype(np.float32)


def lab_to_srgb(lab: ArrayLike) -> Floats:
    """Return sRGB on the 0-255 scale, clipped to what a screen can show; shapes as given."""
    values = np.asarray(lab, dtype=np.float64)
    y = (values[..., 0] + 16) / 116
    curved = np.stack([y + values[..., 1] / 500, y, y - values[..., 2] / 200], axis=-1)
    cubed = curved**3
    linear = np.where(cubed > _EPSILON, cubed, (116 * curved - 16) / _KAPPA) @ _TO_RGB.T
    low = linear * 12.92
    high = 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
    encoded = np.where(linear <= 0.0031308, low, high)  # noqa: PLR2004 - the standard's constant
    return np.asarray(np.clip(encoded * 255, 0, 255), dtype=np.float32)


def hex_to_lab(code: str) -> Floats:
    """Return the CIELAB of ``#rrggbb`` or ``#rgb`` (the ``#`` may be left out).

    Raises:
        InvalidInputError: when the text is no such code.
    """
    match = _HEX.fullmatch(code.strip())
    if match is None:
        raise InvalidInputError(
            f"{code!r} is not a colour code; expected six hex digits, such as #1f4d34.", colour=code
        )
    digits = match[1] or "".join(digit * 2 for digit in match[2])
    rgb = np.frombuffer(bytes.fromhex(digits), dtype=np.uint8)
    return srgb_to_lab(rgb)


def lab_to_hex(lab: ArrayLike) -> str:
    """Return ``#rrggbb`` of one CIELAB colour, clipped to what a screen can show."""
    red, green, blue = np.rint(lab_to_srgb(lab)).astype(int).tolist()
    return f"#{red:02x}{green:02x}{blue:02x}"


def blend(first: str, second: str, share: float) -> str:
    """Return the colour at a share of the way from one `#rrggbb` to another, even in CIELAB.

    Args:
        first: where the share is 0.
        second: where it is 1.
        share: 0..1.
    """
    start, end = hex_to_lab(first), hex_to_lab(second)
    return lab_to_hex(start + (end - start) * share)


def delta_e(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Return the CIEDE2000 difference; shapes ``[..., 3]`` broadcast.

    About 1 is just visible; under 5 people say "the same colour". Source: Sharma, Wu, Dalal, "The
    CIEDE2000 color-difference formula", Color Research and Application 30 (2005).
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    chroma_mean = (np.hypot(a[..., 1], a[..., 2]) + np.hypot(b[..., 1], b[..., 2])) / 2
    stretch = 1 + 0.5 * (1 - _root_of_seventh(chroma_mean))
    c1, h1 = _polar(a[..., 1] * stretch, a[..., 2])
    c2, h2 = _polar(b[..., 1] * stretch, b[..., 2])
    both = c1 * c2 != 0

    turn = h2 - h1
    turn -= 360 * np.sign(turn) * (np.abs(turn) > _HALF_TURN)
    d_lightness = b[..., 0] - a[..., 0]
    d_chroma = c2 - c1
    d_hue = np.where(both, 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn) / 2), 0.0)

    lightness = (a[..., 0] + b[..., 0]) / 2
    chroma = (c1 + c2) / 2
    hue = _mean_hue(h1, h2, both=both)
    s_lightness = 1 + 0.015 * (lightness - 50) ** 2 / np.sqrt(20 + (lightness - 50) ** 2)
    s_chroma = 1 + 0.045 * chroma
    s_hue = 1 + 0.015 * chroma * _hue_weight(hue)
    twist = 60 * np.exp(-(((hue - 275) / 25) ** 2))
    rotation = -2 * _root_of_seventh(chroma) * np.sin(np.radians(twist))

    lightness_part, chroma_part = d_lightness / s_lightness, d_chroma / s_chroma
    hue_part = d_hue / s_hue
    squares = lightness_part**2 + chroma_part**2 + hue_part**2
    return np.asarray(np.sqrt(np.maximum(squares + rotation * chroma_part * hue_part, 0)))


def _root_of_seventh(chroma: NDArray[np.float64]) -> NDArray[np.float64]:
    seventh = chroma**7
    return np.asarray(np.sqrt(seventh / (seventh + 25.0**7)))


def _polar(
    a: NDArray[np.float64], b: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.hypot(a, b), np.degrees(np.arctan2(b, a)) % 360


def _mean_hue(
    h1: NDArray[np.float64], h2: NDArray[np.float64], *, both: NDArray[np.bool_]
) -> NDArray[np.float64]:
    total = h1 + h2
    wrapped = np.where(total < 2 * _HALF_TURN, total + 360, total - 360) / 2
    near = np.abs(h1 - h2) <= _HALF_TURN
    return np.where(both, np.where(near, total / 2, wrapped), total)


def _hue_weight(hue: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(
        1
        - 0.17 * np.cos(np.radians(hue - 30))
        + 0.24 * np.cos(np.radians(2 * hue))
        + 0.32 * np.cos(np.radians(3 * hue + 6))
        - 0.20 * np.cos(np.radians(4 * hue - 63))
    )


@dataclass(frozen=True, slots=True)
class ColourFamily:
    """A name that people use for a region of colours.

    Attributes:
        name: one lower-case English word.
        swatch: ``#rrggbb`` to show for the family.
        anchors: typical members; a colour belongs to the family of its nearest anchor.
    """

    name: str
    swatch: str
    anchors: tuple[str, ...]


# The anchors were chosen by eye for cloth under shop lights (tan is beige, mustard is yellow, denim
# is blue, charcoal is grey, maroon is burgundy, lilac is purple) and checked against the colour
# labels that a real shop gave to its photographs; tests/unit/shared/test_colour.py holds the names.
FAMILIES: Final = tuple(
    ColourFamily(name, swatch, tuple(anchors.split()))
    for name, swatch, anchors in (
        ("black", "#17171a", "#000000 #1b1b1e #2c2b2d #3a3a3d #2f2a28"),
        ("grey", "#8a8d91", "#57595d #707276 #8f9194 #adafb1 #c4c5c7 #a39f9b"),
        ("white", "#f6f6f3", "#ffffff #f4f4f1 #e9e9ea #dcdde0 #e9e4de"),
        ("beige", "#d8c5a3", "#f0e4cd #e3d3b8 #d2b993 #c4ac86 #b5a184 #c9b8a8"),
        ("brown", "#6f4a2d", "#3f2c22 #55392a #6f4a2d #8a5d3b #a5774f #54483f #7f6c5d"),
        ("red", "#c8232c", "#ff0000 #e23b34 #c8232c #a91b22 #d94a4c"),
        ("burgundy", "#6d1a2d", "#80152f #7d0a14 #6d1a2d #551a26 #45141d #7c2f3a"),
        ("pink", "#ee8fb0", "#f9c9d4 #f2a3b8 #ee6fa0 #e0348b #d98a94 #f4c4bc #d7b0b4"),
        ("orange", "#ee7a2b", "#ff8c00 #f26a1f #e4572e #f5a065 #c85a1e #f7b48f"),
        ("yellow", "#f2cb3c", "#ffe600 #f7d247 #e3b021 #fbee9c #cf9f2a #e9dc8a"),
        ("olive", "#6b6a35", "#4c4d2b #6b6a35 #84824a #5b6238 #9a9763 #57563f"),
        ("green", "#3a9150", "#1d4a2c #2a6d3c #3a9150 #55b86a #9ad19b #9fd02f #35604c #6fa58a"),
        ("teal", "#1c8286", "#0f4c52 #15757a #22a09a #4fc9c4 #9fdedb #4d8488"),
        ("blue", "#3a6fc0", "#1f4fa8 #3a6fc0 #5b8fd6 #8fb9e3 #bcd5ec #5a7598 #8296b0 #48586f"),
        ("navy", "#1c2748", "#12183a #1c2748 #26345c #2b3547 #0a1466"),
        ("purple", "#75479c", "#46235f #75479c #9a68c0 #c2a5d8 #5c3f6b #8e2a86 #7d6a86"),
    )
)
FAMILY_NAMES: Final = tuple(family.name for family in FAMILIES)

_ANCHORS: Final = np.stack([hex_to_lab(code) for family in FAMILIES for code in family.anchors])
_ANCHOR_FAMILY: Final = np.array(
    [index for index, family in enumerate(FAMILIES) for _ in family.anchors], dtype=np.intp
)
_BLOCK: Final = 4096  # colours compared at once: some 10 MB a temporary


def families_of(labs: ArrayLike) -> NDArray[np.intp]:
    """Return the index into ``FAMILIES`` of each CIELAB colour; ``[..., 3]`` gives ``[...]``."""
    values = np.asarray(labs, dtype=np.float64)
    flat = values.reshape(-1, 3)
    nearest = [
        np.argmin(delta_e(flat[start : start + _BLOCK, None], _ANCHORS[None]), axis=1)
        for start in range(0, len(flat), _BLOCK)
    ]
    anchors = np.concatenate(nearest) if nearest else np.empty(0, dtype=np.intp)
    return _ANCHOR_FAMILY[anchors].reshape(values.shape[:-1])


def family_of(lab: ArrayLike) -> str:
    """Return the family name of one CIELAB colour."""
    return FAMILY_NAMES[int(families_of(np.asarray(lab)))]


def code_of(colour: str) -> str | None:
    """Return ``#rrggbb``, in lower case, of such a code or of a family's name; None for others.

    A family stands for its swatch.
    """
    if _CODE.fullmatch(colour):
        return colour.lower()
    return next((family.swatch for family in FAMILIES if family.name == colour), None)


def nearest_family(code: str, names: Collection[str]) -> str | None:
    """Return the name among `names` whose family is nearest to ``#rrggbb``; None if none is one.

    Raises:
        InvalidInputError: `code` is no colour code.
    """
    lab = hex_to_lab(code)
    distance = {
        family.name: min(float(delta_e(lab, hex_to_lab(anchor))) for anchor in family.anchors)
        for family in FAMILIES
        if family.name in names
    }
    return min(distance, key=distance.__getitem__) if distance else None

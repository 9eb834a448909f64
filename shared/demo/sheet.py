"""The contact sheet: rows of designs under the words that they were asked for with."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Final

from PIL import Image, ImageDraw, ImageFont

_TILE: Final = 96
_GAP: Final = 6
_LABEL: Final = 22
_MARGIN: Final = 14
_GROUND: Final = "#ffffff"
_INK: Final = "#222222"


@dataclass(frozen=True)
class Row:
    """Some designs and what they were asked for with."""

    title: str
    pictures: Sequence[bytes]


def contact_sheet(rows: Sequence[Row], *, title: str) -> bytes:
    """Return all rows below each other as one PNG."""
    most = max((len(row.pictures) for row in rows), default=0)
    width = 2 * _MARGIN + most * (_TILE + _GAP) - _GAP
    height = 2 * _MARGIN + _LABEL + len(rows) * (_LABEL + _TILE + _GAP)
    sheet = Image.new("RGB", (max(width, 4 * _TILE), height), _GROUND)
    pen = ImageDraw.Draw(sheet)
    pen.text((_MARGIN, _MARGIN - 4), title, fill=_INK, font=ImageFont.load_default(16))
    top = _MARGIN + _LABEL
    for row in rows:
        pen.text((_MARGIN, top + 4), row.title, fill=_INK, font=ImageFont.load_default(13))
        for at, picture in enumerate(row.pictures):
            sheet.paste(_tile(picture), (_MARGIN + at * (_TILE + _GAP), top + _LABEL))
        top += _LABEL + _TILE + _GAP
    target = BytesIO()
    sheet.save(target, "PNG", optimize=True)
    return target.getvalue()


def _tile(picture: bytes) -> Image.Image:
    with Image.open(BytesIO(picture)) as opened:
        shown = opened.convert("RGB")
    # Small ones are enlarged without blur, so that one sees what the model made.
    how = Image.Resampling.NEAREST if shown.width < _TILE else Image.Resampling.LANCZOS
    return shown.resize((_TILE, _TILE), how)

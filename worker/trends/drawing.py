"""A figure of lines, bands and words as SVG, without a second pass through Matplotlib.

Its SVG backend takes as long as its pixels do, and writes each place to six digits.
"""

from collections.abc import Iterator, Sequence
from typing import Final
from xml.sax.saxutils import escape

import numpy as np
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.text import Text
from numpy.typing import ArrayLike

from worker.trends.arrays import Bools, Floats

Box = tuple[float, float, float, float]
"""Left, bottom, width and height, in inches from a figure's lower left."""
Drawn = tuple[Line2D | PathPatch | Text, Box | None]
"""What stands on a figure, in inches, and the box outside of which it is not seen."""
_POINTS: Final = 72  # an inch
_FONTS: Final = "DejaVu Sans,Verdana,sans-serif"
_DASHES: Final = {":": (1.0, 1.65), "--": (3.0, 3.0)}  # in widths of the line
_ANCHORS: Final = {"left": "start", "center": "middle", "right": "end"}
_DROPS: Final = {"baseline": 0.0, "center": 0.36, "top": 0.76}  # of the letters' size


def svg_of(figure: Figure, artists: Sequence[Drawn]) -> bytes:
    """Return an SVG of what stands on a figure; the same gives the same bytes."""
    across, up = (float(size) * _POINTS for size in figure.get_size_inches())
    clips = list(dict.fromkeys(box for _, box in artists if box is not None))
    body = []
    for artist, box in sorted(artists, key=lambda one: one[0].get_zorder()):
        clip = "" if box is None else f' clip-path="url(#c{clips.index(box)})"'
        if isinstance(artist, Text):
            body.append(_words(artist, up))
        elif isinstance(artist, PathPatch):
            body.append(f"<path{clip} {_band(artist, up)}/>")
        else:
            body += [f"<path{clip} {line}/>" for line in _line(artist, up)]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{across:g}pt" height="{up:g}pt" '
        f'viewBox="0 0 {across:g} {up:g}" font-family="{_FONTS}" stroke-linejoin="round">'
    )
    boxes = [_clip(number, box, up) for number, box in enumerate(clips)]
    ground = f'<rect width="{across:g}" height="{up:g}" fill="#ffffff"/>'
    return "\n".join([head, *boxes, ground, *body, "</svg>\n"]).encode()


def _clip(number: int, box: Box, up: float) -> str:
    left, foot, width, height = (size * _POINTS for size in box)
    return (
        f'<clipPath id="c{number}"><rect x="{left:.2f}" y="{up - foot - height:.2f}" '
        f'width="{width:.2f}" height="{height:.2f}"/></clipPath>'
    )


def _line(line: Line2D, up: float) -> Iterator[str]:
    """Yield the line itself, and its dots as lines of no length with round ends."""
    places, style = _points(line.get_xydata(), up), line.get_linestyle()
    known = np.isfinite(places[:, 1])
    colour, width = to_hex(line.get_color()), float(line.get_linewidth())
    faint = _faint("stroke", line.get_alpha())
    if style != "None":
        dashes = ",".join(f"{width * one:.2f}" for one in _DASHES.get(str(style), ()))
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        yield (
            f'd="{_path(places, known)}" fill="none" stroke="{colour}" '
            f'stroke-width="{width:g}"{dashed}{faint}'
        )
    if line.get_marker() not in {"None", None, ""}:
        dots = "".join(f"M{x:.2f} {y:.2f}h0" for x, y in places[known].tolist())
        size = float(line.get_markersize())
        for wide, fill in ((size + 1, colour), (size - 1, to_hex(line.get_markerfacecolor()))):
            yield f'd="{dots}" stroke="{fill}" stroke-width="{wide:g}" stroke-linecap="round"'


def _band(patch: PathPatch, up: float) -> str:
    path = patch.get_path()
    places = _points(path.vertices, up)
    starts = np.flatnonzero(path.codes == path.MOVETO)
    parts = (_path(part, np.ones(len(part), dtype=bool)) for part in np.split(places, starts[1:]))
    colour = to_hex(patch.get_facecolor())
    return f'd="{"".join(parts)}" fill="{colour}"{_faint("fill", patch.get_alpha())}'


def _words(text: Text, up: float) -> str:
    x, y = text.get_position()
    size = float(text.get_fontsize())
    left, top = float(x) * _POINTS, up - float(y) * _POINTS
    turned = f' transform="rotate(-90 {left:.2f} {top:.2f})"' if text.get_rotation() else ""
    weight = ' font-weight="bold"' if text.get_fontweight() == "bold" else ""
    return (
        f'<text x="{left:.2f}" y="{top + _DROPS[text.get_verticalalignment()] * size:.2f}" '
        f'font-size="{size:g}" fill="{to_hex(text.get_color())}" '
        f'text-anchor="{_ANCHORS[text.get_horizontalalignment()]}"{weight}{turned}>'
        f"{escape(text.get_text())}</text>"
    )


def _points(inches: ArrayLike, up: float) -> Floats:
    """Return places in points from the upper left, [n, 2]."""
    return np.asarray(inches, dtype=np.float64) * (_POINTS, -_POINTS) + (0.0, up)


def _path(places: Floats, known: Bools) -> str:
    """Return a path through places [n, 2], broken where they are not known."""
    starts = known & ~np.concatenate([[False], known[:-1]])
    texts = [f"{x:.2f} {y:.2f}" for x, y in places[known].tolist()]
    return "".join(
        f"{'M' if start else 'L'}{text}"
        for start, text in zip(starts[known].tolist(), texts, strict=True)
    )


def _faint(what: str, alpha: float | None) -> str:
    return "" if alpha is None else f' {what}-opacity="{alpha:g}"'

"""Pictures of results: curves, bars, and sheets of designs side by side."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from worker.gan import grid

Points = Sequence[Mapping[str, float]]

_TITLE, _NAMES, _GAP = 22, 92, 14
"""Px above each sheet, left of all for the rows' names, and between sheets."""


def side_by_side(sheets: Mapping[str, NDArray[np.uint8]], rows: Sequence[str]) -> bytes:
    """Put sheets beside each other, each under its name, rows named at the left; returns PNG.

    Args:
        sheets: name -> uint8 [rows, columns, size, size, channels].
        rows: one name a row.
    """
    size = next(iter(sheets.values())).shape[2]
    scale = max(1, 56 // size)
    pictures = {name: _sheet(images, scale) for name, images in sheets.items()}
    width = _NAMES + sum(picture.width + _GAP for picture in pictures.values())
    height = _TITLE + max(picture.height for picture in pictures.values())
    whole = Image.new("RGB", (width, height), "white")
    pen, font = ImageDraw.Draw(whole), ImageFont.load_default(13)
    for row, name in enumerate(rows):
        middle = _TITLE + (row + 0.5) * size * scale
        pen.text((4, middle), name, "black", font, anchor="lm")
    left = _NAMES
    for name, picture in pictures.items():
        pen.text((left, 4), name, "black", font)
        whole.paste(picture, (left, _TITLE))
        left += picture.width + _GAP
    buffer = io.BytesIO()
    whole.save(buffer, "PNG")
    return buffer.getvalue()


def curves(
    series: Mapping[str, Points], *, across: str, up: str, title: str, logarithmic: bool = False
) -> bytes:
    """Draw values over `across`, with a band where points have `low` and `high`; returns PNG."""
    figure, axes = _axes(title)
    for name, points in series.items():
        x = [point[across] for point in points]
        (line,) = axes.plot(x, [point[up] for point in points], marker=".", label=name)
        if points and {"low", "high"} <= set(points[0]):
            low, high = ([point[edge] for point in points] for edge in ("low", "high"))
            axes.fill_between(x, low, high, color=line.get_color(), alpha=0.2)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    if logarithmic:
        axes.set_yscale("log")
    if len(series) > 1:
        axes.legend()
    return _png(figure)


def bars(groups: Mapping[str, Sequence[float]], *, title: str, logarithmic: bool = False) -> bytes:
    """Draw each group's median as a bar, and every value in it as a dot; returns PNG."""
    figure, axes = _axes(title)
    for place, values in enumerate(groups.values()):
        axes.bar(place, float(np.median(values)), color="#9db4c8")
        axes.plot([place] * len(values), values, "k.", markersize=5)
    axes.set_xticks(range(len(groups)), list(groups))
    if logarithmic:
        axes.set_yscale("log")
    return _png(figure)


def _sheet(images: NDArray[np.uint8], scale: int) -> Image.Image:
    whole = grid.assemble(images.reshape(-1, *images.shape[2:]), images.shape[1])
    return Image.open(io.BytesIO(grid.png(whole, scale=scale))).convert("RGB")


def _axes(title: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(7, 4), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title)
    axes.grid(visible=True, alpha=0.3)
    axes.set_axisbelow(True)
    return figure, axes


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()

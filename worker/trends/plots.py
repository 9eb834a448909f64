"""Plots: share history with its band, the forecast fan, and a line at now; as PNG and SVG."""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import date2num
from matplotlib.figure import Figure
from PIL import Image, PngImagePlugin

from shared.schemas.trends import TrendReport, ValueTrend
from worker.trends.arrays import Bools, Floats
from worker.trends.drawing import Box, Drawn, svg_of
from worker.trends.frames import QUIET, Frame
from worker.trends.words import KINDS, growth

# Okabe & Ito's colours: told apart by the colour-blind, and in grey print by lightness.
SEEN: Final = "#0072B2"
AHEAD: Final = "#D55E00"
DPI: Final = 144
COLUMNS: Final = 3
MOST_PANELS: Final = 12
_VALUE: Final = (6.6, 3.2)  # inches
_VALUE_BOX: Final = (0.68, 0.6, 5.86, 2.3)
_CELL: Final = (3.2, 1.9)
_CELL_BOX: Final = (0.4, 0.2, 2.76, 1.47)
_FOOT: Final = 0.1
_COLOURS: Final = 128
_SMOOTH_FROM: Final = 52
_GAPPY: Final = 0.1
_HEADROOM: Final = 1.08


@dataclass(frozen=True)
class Plot:
    """One plot in both forms."""

    png: bytes
    svg: bytes


def value_plot(report: TrendReport, series: ValueTrend) -> Plot:
    """Return a plot of one series, 6.6 by 3.2 inches."""
    figure = Figure(figsize=_VALUE, dpi=DPI, facecolor="white")
    frame = _draw(figure, _VALUE_BOX, report, series, large=True)
    _, foot, _, height = _VALUE_BOX
    frame.write(
        0.16,
        foot + height / 2,
        f"share of {series.attribute}",
        size=9,
        color=QUIET,
        rotation="vertical",
        ha="center",
        va="center",
    )
    frame.legend(0.2)
    return _drawn(figure, frame.drawn)


def attribute_plot(report: TrendReport, attribute: str) -> Plot:
    """Return small multiples of an attribute's largest values; each has its own scale from 0."""
    panels = largest(report, attribute)
    rows = -(-len(panels) // COLUMNS)
    size = (COLUMNS * _CELL[0], _CELL[1] * rows + 2 * _FOOT)
    figure = Figure(figsize=size, dpi=DPI, facecolor="white")
    left, foot, width, height = _CELL_BOX
    drawn: list[Drawn] = []
    for place, series in enumerate(panels):
        row, column = divmod(place, COLUMNS)
        across, up = column * _CELL[0], _FOOT + (rows - 1 - row) * _CELL[1]
        box = (across + left, up + foot, width, height)
        drawn += _draw(figure, box, report, series, large=False).drawn
    return _drawn(figure, drawn)


def largest(report: TrendReport, attribute: str) -> list[ValueTrend]:
    """Return the values that `attribute_plot` shows, most garments first."""
    mine = [one for one in report.series if one.attribute == attribute and not one.rest]
    return sorted(mine, key=lambda one: -one.garments)[:MOST_PANELS]


def slug(*names: str) -> str:
    """Return a file name from words of any script."""
    text = re.sub(r"[^\w]+", "-", "-".join(names).lower()).strip("-_")
    return text[:80] or "plot"


def _title(series: ValueTrend) -> str:
    name = _shortened(series.value)
    if series.kind in {"rising", "declining"} and series.change is not None:
        arrow = "▲" if series.kind == "rising" else "▼"
        return f"{name}  {arrow} {growth(series.change.relative)} a year"
    return f"{name}  ({KINDS[series.kind]})"


def _shortened(name: str) -> str:
    return name if len(name) <= 28 else name[:27] + "…"  # noqa: PLR2004 - what fits a panel


def _draw(
    figure: Figure,
    box: Box,
    report: TrendReport,
    series: ValueTrend,
    *,
    large: bool,
) -> Frame:
    days, ahead = _numbers_of(report.periods), _numbers_of(report.forecast_periods)
    # None, where nothing was seen, becomes NaN.
    share, low, high = np.array([series.share, series.low, series.high], dtype=np.float64)
    frame = Frame(
        figure, box, (float(days[0]), float(ahead[-1])), _top(share, high, series), large=large
    )
    if np.isnan(share).mean() > _GAPPY:
        _scattered(frame, days, share, np.array([low, high]))
    else:
        frame.band(days, low, high, facecolor=SEEN, alpha=0.13, label="its 95% band")
        _history(frame, days, share, np.array(series.thin))
    _fan(frame, days, ahead, share, series)
    frame.mark((days[-1] + ahead[0]) / 2, "now" if large else "")
    frame.finish(_title(series))
    return frame


def _scattered(frame: Frame, days: Floats, share: Floats, band: Floats) -> None:
    """Draw a history full of gaps: points with their own bands, joined faintly."""
    seen = np.isfinite(share)
    days, share = days[seen], share[seen]
    gaps = np.full(len(days), np.nan)
    frame.line(
        np.repeat(days, 3),
        np.column_stack([*band[:, seen], gaps]).ravel(),
        color=SEEN,
        alpha=0.25,
        linewidth=3,
        solid_capstyle="butt",
        label="its 95% band",
    )
    frame.line(days, share, color=SEEN, linewidth=0.7, alpha=0.5, linestyle=":")
    frame.line(days, share, color=SEEN, linestyle="", marker="o", markersize=3, label="share")


def _history(frame: Frame, days: Floats, share: Floats, thin: Bools) -> None:
    seen = np.isfinite(share)
    many = len(days) > _SMOOTH_FROM
    frame.line(
        days[seen],
        share[seen],
        color=SEEN,
        linewidth=0.6 if many else 1.6,
        alpha=0.55 if many else 1.0,
        label="share",
    )
    if many:
        frame.line(days, _rolling(share), color=SEEN, linewidth=1.8, label="average")
    elif frame.large:
        dots = {"color": SEEN, "linestyle": "", "marker": "o", "markersize": 3.5}
        frame.line(days[seen & ~thin], share[seen & ~thin], **dots)
        if np.any(seen & thin):
            frame.line(
                days[seen & thin],
                share[seen & thin],
                markerfacecolor="white",
                label="few garments",
                **dots,
            )


def _fan(frame: Frame, days: Floats, ahead: Floats, share: Floats, series: ValueTrend) -> None:
    forecast = {
        name: np.array(getattr(series.forecast, name))
        for name in ("mean", "low80", "high80", "low95", "high95")
    }
    for sure, alpha in (("95", 0.14), ("80", 0.26)):
        low, high = forecast[f"low{sure}"], forecast[f"high{sure}"]
        frame.band(ahead, low, high, facecolor=AHEAD, alpha=alpha, label=f"{sure}% sure")
    frame.line(
        ahead,
        forecast["mean"],
        color=AHEAD,
        linewidth=1.8,
        marker="o" if frame.large and len(ahead) <= COLUMNS * 4 else None,
        markersize=3,
        label="forecast",
    )
    seen = np.flatnonzero(np.isfinite(share))
    if len(seen):
        last = seen[-1]
        frame.line(
            np.array([days[last], ahead[0]]),
            np.array([share[last], forecast["mean"][0]]),
            color=AHEAD,
            linewidth=0.8,
            linestyle=":",
        )


def _top(
    share: Floats,
    high: Floats,
    series: ValueTrend,
) -> float:
    """Return the upper end of the axis: all shares and the 80% fan; wide bands may run out."""
    usual = np.nanmedian(high) if np.isfinite(high).any() else 0.0
    tallest = np.nanmax(share) if np.isfinite(share).any() else 0.0
    highest = max(float(usual), float(tallest), *series.forecast.high80)
    return min(1.0, _HEADROOM * highest) if highest > 0 else 1.0


def _rolling(share: Floats, width: int = 9) -> Floats:
    seen = np.isfinite(share).astype(float)
    kernel = np.ones(width)
    top = np.convolve(np.nan_to_num(share), kernel, mode="same")
    bottom = np.convolve(seen, kernel, mode="same")
    return np.asarray(np.where(bottom > 0, top / np.maximum(bottom, 1), np.nan), dtype=np.float64)


def _numbers_of(days: Sequence[date]) -> Floats:
    numbers = date2num(list(days))  # type: ignore[no-untyped-call]
    return np.asarray(numbers, dtype=np.float64)


def _drawn(figure: Figure, drawn: Sequence[Drawn]) -> Plot:
    """Return the figure in both forms; the same report gives the same bytes."""
    # Not `savefig`, which draws everything once more to see how large it comes out. A canvas comes
    # without types.
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    # A few colours and their shades: a palette of them is a third of the bytes and of the time.
    picture = picture.quantize(_COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    told = PngImagePlugin.PngInfo()
    told.add_text("Software", "Toile")
    png = io.BytesIO()
    picture.save(png, format="png", pnginfo=told, dpi=(DPI, DPI))
    return Plot(png.getvalue(), svg_of(figure, drawn))

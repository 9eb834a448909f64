"""Plots: share history with its band, the forecast fan, and a line at now; as PNG and SVG."""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from shared.schemas.trends import TrendReport, ValueTrend
from worker.trends.arrays import Bools, Floats
from worker.trends.words import KINDS, growth

# Okabe & Ito's colours: told apart by the colour-blind, and in grey print by lightness.
SEEN: Final = "#0072B2"
AHEAD: Final = "#D55E00"
INK: Final = "#222222"
QUIET: Final = "#777777"
GRID: Final = "#E4E4E4"
DPI: Final = 144
# Without a salt of our own the names inside an SVG are drawn by chance.
_SALT: Final = "toile"
COLUMNS: Final = 3
MOST_PANELS: Final = 12
_SMOOTH_FROM: Final = 52
_FINE: Final = (0.05, 0.005)
_GAPPY: Final = 0.1
_HEADROOM: Final = 1.08


@dataclass(frozen=True)
class Plot:
    """One plot in both forms."""

    png: bytes
    svg: bytes


def value_plot(report: TrendReport, series: ValueTrend) -> Plot:
    """Return a plot of one series, 6.6 by 3.2 inches."""
    figure = Figure(figsize=(6.6, 3.2), dpi=DPI, layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    _draw(axes, report, series, detail=True)
    axes.set_title(_title(series), loc="left", fontsize=12, fontweight="bold", color=INK)
    axes.set_ylabel(f"share of {series.attribute}", color=QUIET, fontsize=9)
    axes.legend(
        loc="upper left",
        bbox_to_anchor=(0, -0.12),
        ncols=6,
        frameon=False,
        fontsize=8,
        labelcolor=INK,
        handlelength=1.4,
        columnspacing=1.2,
    )
    return _drawn(figure)


def attribute_plot(report: TrendReport, attribute: str) -> Plot:
    """Return small multiples of an attribute's largest values; each has its own scale from 0."""
    panels = largest(report, attribute)
    rows = -(-len(panels) // COLUMNS)
    figure = Figure(
        figsize=(9.6, 1.9 * rows + 0.2), dpi=DPI, layout="constrained", facecolor="white"
    )
    grid = figure.subplots(rows, COLUMNS, squeeze=False)
    for axes, series in zip(grid.flat, panels, strict=False):
        _draw(axes, report, series, detail=False)
        axes.set_title(_title(series), loc="left", fontsize=8.5, fontweight="bold", color=INK)
    for axes in list(grid.flat)[len(panels) :]:
        axes.set_visible(False)
    return _drawn(figure)


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
    # Text between two $ would be read as a formula.
    text = name.replace("$", r"\$")
    return text if len(text) <= 28 else text[:27] + "…"  # noqa: PLR2004 - what fits a panel


def _draw(axes: Axes, report: TrendReport, series: ValueTrend, *, detail: bool) -> None:
    days, ahead = _numbers_of(report.periods), _numbers_of(report.forecast_periods)
    share = np.array([np.nan if one is None else one for one in series.share])
    low = np.array([np.nan if one is None else one for one in series.low])
    high = np.array([np.nan if one is None else one for one in series.high])
    if np.isnan(share).mean() > _GAPPY:
        _scattered(axes, days, share, np.array([low, high]))
    else:
        axes.fill_between(
            days, low, high, color=SEEN, alpha=0.13, linewidth=0, label="its 95% band"
        )
        _history(axes, days, share, np.array(series.thin), detail=detail)
    _fan(axes, days, ahead, share, series, detail=detail)
    now = (days[-1] + ahead[0]) / 2
    axes.axvline(now, color=QUIET, linewidth=0.9, linestyle=(0, (3, 3)))
    _finish(axes, _top(share, high, series), detail=detail)
    if detail:
        axes.annotate(
            "now",
            (now, 1),
            xycoords=("data", "axes fraction"),
            xytext=(-3, -3),
            textcoords="offset points",
            ha="right",
            va="top",
            fontsize=8,
            color=QUIET,
        )


def _scattered(axes: Axes, days: Floats, share: Floats, band: Floats) -> None:
    """Draw a history full of gaps: points with their own bands, joined faintly."""
    seen = np.isfinite(share)
    axes.vlines(
        days[seen],
        band[0][seen],
        band[1][seen],
        color=SEEN,
        alpha=0.25,
        linewidth=3,
        label="its 95% band",
    )
    axes.plot(days[seen], share[seen], color=SEEN, linewidth=0.7, alpha=0.5, linestyle=":")
    axes.plot(days[seen], share[seen], "o", color=SEEN, markersize=3, label="share")


def _history(
    axes: Axes,
    days: Floats,
    share: Floats,
    thin: Bools,
    *,
    detail: bool,
) -> None:
    seen = np.isfinite(share)
    many = len(days) > _SMOOTH_FROM
    axes.plot(
        days[seen],
        share[seen],
        color=SEEN,
        linewidth=0.6 if many else 1.6,
        alpha=0.55 if many else 1.0,
        label="share",
    )
    if many:
        axes.plot(days, _rolling(share), color=SEEN, linewidth=1.8, label="average")
    elif detail:
        axes.plot(days[seen & ~thin], share[seen & ~thin], "o", color=SEEN, markersize=3.5)
        if np.any(seen & thin):
            axes.plot(
                days[seen & thin],
                share[seen & thin],
                "o",
                markersize=3.5,
                markerfacecolor="white",
                markeredgecolor=SEEN,
                label="few garments",
            )


def _fan(
    axes: Axes,
    days: Floats,
    ahead: Floats,
    share: Floats,
    series: ValueTrend,
    *,
    detail: bool,
) -> None:
    forecast = series.forecast
    axes.fill_between(
        ahead,
        forecast.low95,
        forecast.high95,
        color=AHEAD,
        alpha=0.14,
        linewidth=0,
        label="95% sure",
    )
    axes.fill_between(
        ahead,
        forecast.low80,
        forecast.high80,
        color=AHEAD,
        alpha=0.26,
        linewidth=0,
        label="80% sure",
    )
    axes.plot(
        ahead,
        forecast.mean,
        color=AHEAD,
        linewidth=1.8,
        marker="o" if detail and len(ahead) <= COLUMNS * 4 else None,
        markersize=3,
        label="forecast",
    )
    seen = np.flatnonzero(np.isfinite(share))
    if len(seen):
        last = seen[-1]
        axes.plot(
            [days[last], ahead[0]],
            [share[last], forecast.mean[0]],
            color=AHEAD,
            linewidth=0.8,
            linestyle=":",
        )


def _finish(axes: Axes, top: float, *, detail: bool) -> None:
    axes.set_ylim(0, top)
    axes.margins(x=0.01)
    axes.grid(axis="y", color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color("#BBBBBB")
    axes.tick_params(colors=QUIET, labelsize=8.5 if detail else 7, length=0)
    # Matplotlib ships no types for its dates.
    locator = AutoDateLocator(  # type: ignore[no-untyped-call]
        # A small panel has too few marks for months when a history is between two and three years.
        minticks=3 if detail else 2,
        maxticks=8 if detail else 5,
    )
    axes.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(locator, show_offset=False)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(formatter)
    axes.yaxis.set_major_locator(MaxNLocator(5 if detail else 3, steps=[1, 2, 5, 10]))
    digits = sum(top < limit for limit in _FINE)  # no two ticks may round to one label
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.{digits}%}"))


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


def _drawn(figure: Figure) -> Plot:
    """Return the figure in both forms; the same report gives the same bytes."""
    FigureCanvasAgg(figure)
    png, svg = io.BytesIO(), io.BytesIO()
    figure.savefig(png, format="png", metadata={"Software": "Toile"})
    with rc_context({"svg.hashsalt": _SALT}):
        figure.savefig(svg, format="svg", metadata={"Creator": "Toile", "Date": None})
    return Plot(png.getvalue(), svg.getvalue())

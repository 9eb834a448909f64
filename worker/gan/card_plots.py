"""The curves and scales on a release's card, as numbers that its template draws."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from shared.curves import Axis, Tick, axis, band, points
from shared.figures import ends_of
from shared.schemas.figures import Figure

WIDTH: Final = 640
BROAD: Final = 980
HEIGHT: Final = 230
LEFT: Final = 46
_EDGE: Final = 10
_TOP, _BOTTOM = 12.0, 202.0

SCALE_WIDTH: Final = 230
_SCALE_LEFT, _SCALE_RIGHT = 8.0, 222.0
_WIDE: Final = 20.0
_LEAST_WIDTH: Final = 3.0

_PLACES: Final = ("images", "seconds", "step")
_SLOPES: Final = "_slope"


@dataclass(frozen=True)
class Line:
    """One curve of a plot: its name, its polyline points, and its class (its colour)."""

    name: str
    points: str
    style: str


@dataclass(frozen=True)
class Plot:
    """A line plot in pixels.

    Attributes:
        title: what it shows.
        about: how to read it.
        width: of the whole drawing; HEIGHT is its height.
        lines: the curves.
        across: marks on the axis of images.
        up: marks on the axis of values.
        band: points of the polygon between the ends of the interval; empty where there is none.
        marks: pixels across where the training went back.
        real: pixel of what real garments would get, where it is known.
        chosen: pixels across and up of the reading whose weights the release has.
    """

    title: str
    about: str
    width: int
    lines: tuple[Line, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    band: str = ""
    marks: tuple[float, ...] = ()
    real: float | None = None
    chosen: tuple[float, float] | None = None


@dataclass(frozen=True)
class Scale:
    """A figure between what real garments score, on the left, and noise, on the right.

    Attributes:
        value: pixel of the figure.
        low: pixel where its interval begins.
        width: pixels that the interval takes.
        log: whether equal factors are equally long.
        real: what real garments would get.
        noise: what noise would get.
        others: (name, pixel) of the baselines' same figure.
    """

    value: float
    low: float
    width: float
    log: bool
    real: float
    noise: float
    others: tuple[tuple[str, float], ...] = ()


def loss_plots(curve: Sequence[Mapping[str, Any]], *, events: Sequence[float] = ()) -> list[Plot]:
    """Return a plot of the losses, and one of the slopes where the training penalised them.

    Args:
        curve: readings, each with `images` and a value for each loss.
        events: images seen when the training went back.
    """
    names = [name for name in (curve[0] if curve else {}) if name not in _PLACES]
    losses = [name for name in names if not name.endswith(_SLOPES)]
    slopes = [name for name in names if name.endswith(_SLOPES)]
    told = (
        ("Losses", "Neither falls to nought: two networks hold each other in balance.", losses),
        ("Slopes", "How steep the discriminator is at real and at generated garments.", slopes),
    )
    plots = [
        _losses(curve, group, title=title, about=about, events=events)
        for title, about, group in told
        if group
    ]
    return [plot for plot in plots if plot is not None]


def metric_plot(
    curve: Sequence[Mapping[str, Any]],
    *,
    key: str | None,
    real: float | None,
    best: int | None = None,
    events: Sequence[float] = (),
) -> Plot | None:
    """Return a plot of the metric that chose the release; None with fewer than two readings.

    Args:
        curve: readings, each with `images`, `value` and, where known, `low` and `high`.
        key: the metric's key.
        real: what real garments would get.
        best: place in the curve of the reading whose weights the release has.
        events: images seen when the training went back.
    """
    good = [one for one in curve if _is_number(one.get("images")) and _is_number(one.get("value"))]
    if len(good) < 2:  # noqa: PLR2004 - one reading is no curve
        return None
    ends = [one for one in good if _is_number(one.get("low")) and _is_number(one.get("high"))]
    values = [one["value"] for one in good]
    values += [end for one in ends for end in (one["low"], one["high"])]
    across = _across([one["images"] for one in good], width=BROAD)
    up = axis([*values, *([] if real is None else [real])], start=_BOTTOM, end=_TOP)
    line = points(across, up, [(one["images"], one["value"]) for one in good])
    chosen = curve[best] if best is not None and 0 <= best < len(curve) else None
    return Plot(
        title=key or "The metric",
        about=_about("Measured against garments that were kept back.", up),
        width=BROAD,
        lines=(Line("value", line, "one"),),
        across=across.ticks(6),
        up=up.ticks(),
        band=band(across, up, [(one["images"], one["low"], one["high"]) for one in ends]),
        marks=_marks(across, events),
        real=None if real is None else round(up.at(real), 1),
        chosen=None
        if chosen is None or chosen not in good
        else (round(across.at(chosen["images"]), 1), round(up.at(chosen["value"]), 1)),
    )


def scale(figure: Figure, others: Mapping[str, Figure]) -> Scale | None:
    """Return a figure's place between real garments and noise; None where one is not known.

    Args:
        figure: the figure.
        others: baseline -> its figure of the same key.
    """
    ends = ends_of(figure)
    if ends is None:
        return None
    real, noise = ends
    low, high = sorted(ends)
    # What is better lies to the left, whichever way the figure counts.
    pixels = (_SCALE_LEFT, _SCALE_RIGHT) if real < noise else (_SCALE_RIGHT, _SCALE_LEFT)
    log = real > 0 and noise / real > _WIDE
    along = Axis(low, high, *pixels, log=log)
    begin, end = sorted(map(along.at, figure.interval or (figure.value, figure.value)))
    width = max(end - begin, _LEAST_WIDTH)
    return Scale(
        value=round(along.at(figure.value), 1),
        low=round((begin + end - width) / 2, 1),
        width=round(width, 1),
        log=log,
        real=real,
        noise=noise,
        others=tuple((name, round(along.at(one.value), 1)) for name, one in others.items()),
    )


def _losses(
    curve: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    *,
    title: str,
    about: str,
    events: Sequence[float],
) -> Plot | None:
    series = {
        name: [
            (one["images"], one[name])
            for one in curve
            if _is_number(one.get("images")) and _is_number(one.get(name))
        ]
        for name in names
    }
    drawn = {name: places for name, places in series.items() if len(places) > 1}
    if not drawn:
        return None
    across = _across([x for places in drawn.values() for x, _ in places], width=WIDTH)
    up = axis([y for places in drawn.values() for _, y in places], start=_BOTTOM, end=_TOP)
    styles = ("one", "two", "three", "four")
    return Plot(
        title=title,
        about=_about(about, up),
        width=WIDTH,
        lines=tuple(
            Line(name.replace("_", " "), points(across, up, places), styles[place % len(styles)])
            for place, (name, places) in enumerate(drawn.items())
        ),
        across=across.ticks(6),
        up=up.ticks(),
        marks=_marks(across, events),
    )


def _about(text: str, up: Axis) -> str:
    return f"{text} The scale is logarithmic." if up.log else text


def _across(values: Sequence[float], *, width: int) -> Axis:
    return axis(values, start=LEFT, end=width - _EDGE, zero=True)


def _marks(across: Axis, events: Sequence[float]) -> tuple[float, ...]:
    places = [round(across.at(event), 1) for event in sorted(events)]
    # Steps down the ladder that follow each other at once would be one thick bar.
    return tuple(places[:1]) + tuple(b for a, b in pairwise(places) if b - a >= 1)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)

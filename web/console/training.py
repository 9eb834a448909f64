"""What the page of one training shows: what was asked, how far it is, and its metric's curve."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared.curves import Tick, axis, band, points
from shared.schemas.jobs import MetricPoint, Progress

WIDTH: Final = 640
HEIGHT: Final = 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 630.0, 12.0, 192.0
_HIDDEN: Final = frozenset({"kind", "schema_version", "catalog_id", "budget", "model"})


@dataclass(frozen=True)
class Curve:
    """A metric's readings in pixels: the line, its interval, and the marks on both axes."""

    line: str
    band: str
    last: tuple[float, float]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    log: bool


def curve_of(progress: Progress | None) -> Curve | None:
    """Return the curve of a running training's metric; None before its second reading."""
    if progress is None or len(progress.metrics) < 2:  # noqa: PLR2004 - one reading is no curve
        return None
    readings = progress.metrics
    ends = _ends(readings)
    values = [one.value for one in readings] + [end for _, *both in ends for end in both]
    across = axis([one.images for one in readings], start=_LEFT, end=_RIGHT, zero=True)
    up = axis(values, start=_BOTTOM, end=_TOP)
    last = readings[-1]
    return Curve(
        line=points(across, up, [(one.images, one.value) for one in readings]),
        band=band(across, up, ends),
        last=(round(across.at(last.images), 1), round(up.at(last.value), 1)),
        across=across.ticks(),
        up=up.ticks(),
        log=up.log,
    )


def asked_of(spec: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what a training was asked, in words; a spec of any shape is taken."""
    budget = spec.get("budget")
    told = {"budget": _budget(budget)} if isinstance(budget, Mapping) else {}
    told |= {name: _told(value) for name, value in spec.items() if name not in _HIDDEN}
    return [(name.replace("_", " "), value) for name, value in told.items() if value]


def _ends(readings: Sequence[MetricPoint]) -> list[tuple[float, float, float]]:
    return [
        (one.images, one.low, one.high)
        for one in readings
        if one.low is not None and one.high is not None
    ]


def _budget(budget: Mapping[str, Any]) -> str:
    return ", ".join(f"{_told(value)} {name}" for name, value in budget.items() if value)


def _told(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:,.10g}"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value)

"""The report's files: JSON, plots, and one self-contained HTML page."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from shared.schemas.trends import RankedValue, TrendReport, ValueTrend
from worker.trends import saying, words
from worker.trends.plots import Plot, attribute_plot, largest, slug, value_plot
from worker.trends.tables import tables_of

MOST_PLOTS: Final = 4  # a side: a page is read, not scrolled
_SPARK: Final = (150.0, 34.0)
_SPARK_POINTS: Final = 60

TEMPLATES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True)
class _Picture:
    """A plot, as two files and inside the page."""

    path: str  # without its ending
    plot: Plot
    alt: str
    series: ValueTrend | None = None

    @property
    def uri(self) -> str:
        """Return the drawing, which prints sharply at any size."""
        return uri_of(self.plot.svg)


def render(
    report: TrendReport,
    pictures: Mapping[str, bytes] | None = None,
    *,
    no_boards: str | None = None,
) -> dict[str, bytes]:
    """Return the report's files by path.

    ``report.json`` and ``report.html``; ``record.json`` and ``difference.json`` where there was a
    report before; ``series`` and ``forecast`` as tables; ``plots/*.png`` and ``plots/*.svg``. The
    page holds its styles and pictures, asks nothing of the network, and runs no script.

    Args:
        report: what to show.
        pictures: garment id -> a small picture, PNG or WebP, of those that are evidence.
        no_boards: why the report will have no moodboards; empty where it will, None where nobody
            asked.
    """
    rising = _plots(report, report.rising[:MOST_PLOTS], "rising")
    declining = _plots(report, report.declining[:MOST_PLOTS], "declining")
    attributes = list(dict.fromkeys(one.attribute for one in report.series))
    multiples = {
        name: _Picture(
            path=f"plots/attribute-{place:02d}-{slug(name)}",
            plot=attribute_plot(report, name),
            alt=f"Share over time and forecast of each {name}",
        )
        for place, name in enumerate(attributes, 1)
    }
    page = TEMPLATES.get_template("page.html").render(
        report=report,
        words=words,
        saying=saying,
        no_boards=no_boards,
        evidence=_evidence(report, pictures or {}),
        headlines=words.headlines(report),
        plots={"rising": rising, "declining": declining},
        tables=_tables(report),
        attributes=[
            {"name": name, "picture": multiples[name], "rows": _all_rows(report, name)}
            for name in attributes
        ],
        shown={name: len(largest(report, name)) for name in attributes},
        scores=_scores(report),
    )
    files = {"report.json": report.model_dump_json().encode(), "report.html": page.encode()}
    if report.record is not None:
        files["record.json"] = report.record.model_dump_json().encode()
    if report.difference is not None:
        files["difference.json"] = report.difference.model_dump_json().encode()
    for picture in (*rising, *declining, *multiples.values()):
        files[f"{picture.path}.png"] = picture.plot.png
        files[f"{picture.path}.svg"] = picture.plot.svg
    return files | tables_of(report)


def uri_of(picture: bytes) -> str:
    """Return a PNG, WebP, JPEG or SVG picture as an address that holds it."""
    kinds = {b"\x89PNG": "png", b"RIFF": "webp", b"\xff\xd8\xff\xe0": "jpeg"}
    kind = kinds.get(picture[:4], "svg+xml")
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"


def _evidence(report: TrendReport, pictures: Mapping[str, bytes]) -> dict[tuple[str, str], Any]:
    """Return, by attribute and value, what stands behind a ranked value, pictures included."""
    return {
        (one.attribute, one.value): {
            "found": one,
            "pictures": [uri_of(pictures[name]) for name in one.garments if name in pictures],
        }
        for one in report.evidence
        if one.segment is None
    }


def _plots(report: TrendReport, ranked: Sequence[RankedValue], kind: str) -> list[_Picture]:
    plots = []
    for place, one in enumerate(ranked, 1):
        series = words.find(report, one)
        plots.append(
            _Picture(
                path=f"plots/{kind}-{place:02d}-{slug(one.attribute, one.value)}",
                plot=value_plot(report, series),
                alt=f"{one.value} {words.sentence(report, series)}",
                series=series,
            )
        )
    return plots


def _tables(report: TrendReport) -> list[dict[str, Any]]:
    return [
        {
            "title": "Rising",
            "kind": "rising",
            "evident": False,
            "about": "The share grew by more than chance, and still does.",
            "empty": "No value rose by more than chance.",
            "rows": [_row(report, words.find(report, one)) for one in report.rising],
        },
        {
            "title": "Declining",
            "kind": "declining",
            "evident": False,
            "about": "The share fell by more than chance, and still does.",
            "empty": "No value fell by more than chance.",
            "rows": [_row(report, words.find(report, one)) for one in report.declining],
        },
        {
            "title": "Emerging",
            "kind": "emerging",
            "evident": True,
            "about": "Ordered by last quarter's growth and forecast growth together; only values "
            "whose rise, seen or forecast, is more than chance.",
            "empty": "Nothing both grows and is expected to grow on.",
            "rows": [_row(report, words.find(report, one)) for one in report.emerging],
        },
    ]


def _all_rows(report: TrendReport, attribute: str) -> list[dict[str, Any]]:
    mine = [one for one in report.series if one.attribute == attribute]
    return [_row(report, one) for one in sorted(mine, key=lambda one: (one.rest, -one.garments))]


def _row(report: TrendReport, series: ValueTrend) -> dict[str, Any]:
    seen, ahead = _spark(series)
    return {
        "series": series,
        "now": _latest(series, max(1, report.season // 4)),
        "expected": sum(series.forecast.mean) / len(series.forecast.mean),
        "seen": seen,
        "ahead": ahead,
    }


def _latest(series: ValueTrend, periods: int) -> float | None:
    """Return the mean share of the latest periods, or ``None`` where they are empty."""
    shares = [one for one in series.share[-periods:] if one is not None]
    return sum(shares) / len(shares) if shares else None


def _spark(series: ValueTrend) -> tuple[str, str]:
    """Return the points of a small line: what was seen, and what is expected."""
    seen = _thinned([one for one in series.share if one is not None])
    ahead = _thinned(list(series.forecast.mean))
    ahead = ahead[: max(2, len(ahead) // 2)] if len(ahead) > len(seen) else ahead
    width, height = _SPARK
    top = max((*seen, *ahead, 1e-9))
    step = width / max(1, len(seen) + len(ahead) - 1)
    points = [
        f"{place * step:.1f},{height - 2 - (height - 4) * value / top:.1f}"
        for place, value in enumerate([*seen, *ahead])
    ]
    return " ".join(points[: len(seen)]), " ".join(points[max(0, len(seen) - 1) :])


def _thinned(values: list[float]) -> list[float]:
    """Return means of neighbours, at most 60 of them."""
    size = -(-len(values) // _SPARK_POINTS)
    return [
        sum(values[start : start + size]) / len(values[start : start + size])
        for start in range(0, len(values), size)
    ]


def _scores(report: TrendReport) -> list[dict[str, Any]]:
    own, naive = report.backtest.forecaster, report.backtest.naive
    lines = [
        ("Error (MASE)", "below 1 beats repeating last year inside the history", "mase", "{:.2f}"),
        ("Error in percent (sMAPE)", "smaller is better", "smape", "{:.0f}%"),
        ("Interval quality (pinball)", "smaller is better", "pinball", "{:.3f}"),
        ("Inside the 80% interval", "80% would be right", "coverage80", "{:.0%}"),
        ("Inside the 95% interval", "95% would be right", "coverage95", "{:.0%}"),
        ("Direction right", "up, down or within 5% of the last quarter", "direction", "{:.0%}"),
    ]
    return [
        {
            "name": name,
            "about": about,
            "own": _text(own, field, form),
            "naive": _text(naive, field, form),
        }
        for name, about, field, form in lines
    ]


def _text(scores: Any, field: str, form: str) -> str:
    value = getattr(scores, field)
    if value is None:
        return "-"
    return form.format(value * 1.0)

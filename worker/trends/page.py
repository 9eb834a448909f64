"""The report's files: JSON, plots, and one self-contained HTML page."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from shared.schemas.trends import RankedValue, TrendReport, ValueTrend
from worker.trends import grounds, saying, supply, words
from worker.trends.plots import Plot, attribute_plot, largest, slug, value_plot
from worker.trends.rows import Looks, attribute_rows, ranking_tables, segment_tables
from worker.trends.tables import tables_of

MOST_PLOTS: Final = 4  # a side: a page is read, not scrolled
STYLE: Final = "style"  # the attribute whose values are numbers: only pictures tell them apart

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
    typical: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, bytes]:
    """Return the report's files by path.

    ``report.json`` and ``report.html``; ``record.json`` and ``difference.json`` where there was a
    report before; ``series`` and ``forecast`` as tables; ``plots/*.png`` and ``plots/*.svg``. The
    page holds its styles and pictures, asks nothing of the network, and runs no script.

    Args:
        report: what to show.
        pictures: garment id -> a small picture, PNG or WebP, of those that are evidence or show a
            style.
        no_boards: why the report will have no moodboards; empty where it will, None where nobody
            asked.
        typical: style -> ids of its most typical garments, the most typical first.
    """
    rising = _plots(report, report.rising[:MOST_PLOTS], "rising")
    declining = _plots(report, report.declining[:MOST_PLOTS], "declining")
    attributes = list(dict.fromkeys(one.attribute for one in report.series))
    multiples = _multiples(report, attributes)
    looks = _looks(typical or {}, pictures or {})
    page = TEMPLATES.get_template("page.html").render(
        report=report,
        words=words,
        saying=saying,
        grounds=grounds,
        supply=supply,
        no_boards=no_boards,
        evidence=_evidence(report, pictures or {}),
        headlines=words.headlines(report),
        plots={"rising": rising, "declining": declining},
        tables=ranking_tables(report, looks),
        segments=segment_tables(report),
        attributes=[
            {"name": name, "picture": multiples[name], "rows": attribute_rows(report, name, looks)}
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


def _looks(typical: Mapping[str, Sequence[str]], pictures: Mapping[str, bytes]) -> Looks:
    """Return the pictures of each style; garments without one are passed over."""
    return {
        (STYLE, value): [uri_of(pictures[name]) for name in garments if name in pictures]
        for value, garments in typical.items()
    }


def _multiples(report: TrendReport, attributes: Sequence[str]) -> dict[str, _Picture]:
    """Return one picture an attribute: all its values' shares and forecasts."""
    return {
        name: _Picture(
            path=f"plots/attribute-{place:02d}-{slug(name)}",
            plot=attribute_plot(report, name),
            alt=f"Share over time and forecast of each {name}",
        )
        for place, name in enumerate(attributes, 1)
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

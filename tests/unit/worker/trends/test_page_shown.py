"""The page tells all that applies of sources, segments, styles and leads, and nothing else."""

import base64
import re

import pytest

from shared.schemas.trends import LeadingSegment, TrendOptions, TrendReport
from tests.fixtures.trend_pages import two_sources
from tests.unit.worker.trends.conftest import NOW, make_shop
from worker.trends.page import render
from worker.trends.report import build_report
from worker.trends.rows import SHOWN_LOOKS, segment_tables

PICTURES = {f"g{number}": b"\x89PNG" + bytes([number]) for number in range(20)}
TYPICAL = {
    "style 1": [f"g{number}" for number in range(8)],
    "style 2": ["gone", "g10", "g11"],
    "style 9": ["g12"],
}


@pytest.fixture(scope="module")
def report() -> TrendReport:
    return build_report(two_sources(), TrendOptions(period="month"), generated_at=NOW)


@pytest.fixture(scope="module")
def page(report: TrendReport) -> str:
    return render(report, PICTURES, typical=TYPICAL)["report.html"].decode()


@pytest.fixture(scope="module")
def plain() -> str:
    made = build_report(make_shop(), TrendOptions(segments=False), generated_at=NOW)
    return render(made)["report.html"].decode()


def section(page: str, title: str) -> str:
    return next(part for part in page.split("<section")[1:] if f"<h2>{title}</h2>" in part)


def test_each_rise_says_whether_it_stays_with_the_mix_held_fixed(page: str) -> None:
    assert "It stays when the mix of sources is held fixed" in section(page, "Rising")
    assert "Most of it is the mix of sources" in section(page, "Rising")
    assert "It stays" in section(page, "Declining")


def test_what_emerges_and_rises_is_explained_once(report: TrendReport, page: str) -> None:
    assert {one.value for one in report.emerging} <= {one.value for one in report.rising}
    assert "mix of sources" not in section(page, "Emerging")


def test_predicted_values_are_marked_wherever_they_are_named(page: str) -> None:
    mark = '<span class="mark">34% predicted</span>'
    assert f"<strong>Linen</strong> {mark} is rising" in page
    for title in ("Rising", "Declining", "Material"):
        assert mark in section(page, title)
    assert 'class="mark"' not in section(page, "Colour")
    assert '<span class="mark">partly predicted</span>' in section(page, "Segment by segment")


def test_styles_are_shown_by_at_most_six_typical_garments(page: str) -> None:
    picture = r'<img src="data:image/png;base64,([^"]+)" alt="A typical garment of ([^"]+)"'
    shown = re.findall(picture, section(page, "Style"))
    first = [base64.b64decode(data)[4] for data, style in shown if style == "style 1"]
    second = [base64.b64decode(data)[4] for data, style in shown if style == "style 2"]
    assert first == list(range(SHOWN_LOOKS))
    assert second == [10, 11], "a garment whose picture is gone is passed over"
    assert "A typical garment of style 2" in section(page, "Rising")
    assert "style 9" not in page


def test_the_sources_are_told_with_their_dates_and_what_held_them_down(page: str) -> None:
    text = section(page, "Sources")
    for told in ("<strong>shop</strong>", "<strong>blog</strong>", "29 September 2026", "months"):
        assert told in text
    assert "was held down in some month" in text
    assert "From October 2025 on shop makes" in text
    assert "1 month holds nothing at all: January 2024." in section(page, "The data behind this")


def test_each_segment_tells_its_own_rises_beside_the_whole(report: TrendReport, page: str) -> None:
    tables = {one["segment"].name: one for one in segment_tables(report)}
    assert set(tables) == {"online", "store"}
    values = {name: {row["series"].value for row in one["rows"]} for name, one in tables.items()}
    assert {"linen", "cotton"} <= values["online"]
    assert not {"linen", "cotton"} & values["store"]
    kinds = [row["series"].kind for row in tables["online"]["rows"]]
    assert kinds == sorted(kinds, reverse=True), "rises come first"
    text = section(page, "Segment by segment")
    assert text.index("<h3>store") < text.index("<h3>online"), "the largest first"


def test_a_pair_that_goes_with_its_part_is_not_told_again(report: TrendReport) -> None:
    (segment,) = [one for one in report.segments if one.name == "online"]
    linen = next(one for one in segment.series if one.value == "linen")
    pair = linen.model_copy(
        update={"value": "linen dress", "pair": True, "parts": (("material", "linen"),)}
    )
    with_pair = segment.model_copy(update={"series": (*segment.series, pair)})
    (table,) = segment_tables(report.model_copy(update={"segments": (with_pair,)}))
    assert "linen dress" not in {row["series"].value for row in table["rows"]}
    apart = pair.model_copy(update={"parts": (("colour", "navy"), ("category", "dress"))})
    other = segment.model_copy(update={"series": (*segment.series, apart)})
    (table,) = segment_tables(report.model_copy(update={"segments": (other,)}))
    assert "linen dress" in {row["series"].value for row in table["rows"]}


def test_a_segment_in_which_nothing_moves_says_so(report: TrendReport) -> None:
    still = report.segments[0].model_copy(
        update={
            "series": tuple(
                one.model_copy(update={"kind": "stable"}) for one in report.segments[0].series
            )
        }
    )
    page = render(report.model_copy(update={"segments": (still,)}))["report.html"].decode()
    assert "Nothing rises or declines by more than chance." in section(page, "Segment by segment")


def test_leaders_and_the_second_forecaster_stand_where_the_forecast_is_judged(
    report: TrendReport,
) -> None:
    told = report.model_copy(
        update={
            "backtest": report.backtest.model_copy(
                update={"leading": "It leads.", "second": "It earned none."}
            )
        }
    )
    text = section(render(told)["report.html"].decode(), "The forecast, tried on the past")
    assert "Leading segments.</strong> It leads." in text
    assert "A second forecaster.</strong> It earned none." in text


def test_names_of_sources_segments_and_leaders_are_escaped(report: TrendReport) -> None:
    evil = "<u>x</u>"
    lead = LeadingSegment(
        segment=evil, lag=1, pull=0.5, alone=True, error_without=0.8, error_with=0.7
    )
    data = report.data.model_copy(
        update={
            "sources": tuple(one.model_copy(update={"name": evil}) for one in report.data.sources),
            "mix_changes": tuple(
                one.model_copy(update={"source": evil}) for one in report.data.mix_changes
            ),
        }
    )
    named = report.model_copy(
        update={
            "data": data,
            "series": tuple(one.model_copy(update={"lead": lead}) for one in report.series),
            "segments": (report.segments[0].model_copy(update={"name": evil}),),
        }
    )
    page = render(named)["report.html"].decode()
    assert evil not in page
    for title in ("Rising", "Segment by segment", "Sources"):
        assert "&lt;u&gt;x&lt;/u&gt;" in section(page, title)


def test_nothing_is_said_of_what_does_not_apply(plain: str) -> None:
    for absent in (
        "<h2>Sources</h2>", "Segment by segment", "mix of sources", "Leading segments.",
        "A second forecaster.", 'class="mark"', 'class="looks"', "holds nothing at all",
    ):  # fmt: skip
        assert absent not in plain

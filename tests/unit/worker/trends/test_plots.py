"""Plots: the same in both forms, for histories of any length and with gaps."""

import io
import re
from collections.abc import Callable
from datetime import datetime
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from shared.schemas.trends import TrendOptions, TrendReport, ValueTrend
from worker.trends.frames import day_ticks, share_ticks
from worker.trends.observations import Observations
from worker.trends.plots import AHEAD, SEEN, attribute_plot, value_plot
from worker.trends.report import build_report

Shop = Callable[..., Observations]


def _report(shop: Shop, now: datetime, years: float) -> TrendReport:
    return build_report(shop(1500, years=years), TrendOptions(), generated_at=now)


def _words(svg: bytes) -> list[str]:
    drawn = ET.fromstring(svg)  # noqa: S314 - drawn a moment ago
    return [one.text or "" for one in drawn.iter() if one.tag.endswith("text")]


@pytest.mark.parametrize("years", [0.6, 3])
def test_a_plot_names_what_it_shows(shop: Shop, now: datetime, years: float) -> None:
    report = _report(shop, now, years)
    series = report.series[0]
    plot = value_plot(report, series)
    words = _words(plot.svg)
    assert any(word.startswith(series.value) for word in words)
    assert {"now", "forecast", "80% sure", "95% sure", "its 95% band", "share"} <= set(words)
    assert f"share of {series.attribute}" in words
    assert "0%" in words or "0.0%" in words
    with Image.open(io.BytesIO(plot.png)) as picture:
        assert picture.size == (950, 460)
        seen = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    for colour in (SEEN, AHEAD):
        wanted = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)])
        assert (np.abs(seen - wanted).max(axis=1) < 24).sum() > 50, colour


def test_a_gap_breaks_the_band_and_many_make_points_of_the_line(shop: Shop, now: datetime) -> None:
    report = _report(shop, now, 3)
    whole = report.series[0]

    def with_gaps(every: int) -> ValueTrend:
        holes = {
            name: tuple(
                None if place % every == 1 else one
                for place, one in enumerate(getattr(whole, name))
            )
            for name in ("share", "low", "high")
        }
        return whole.model_copy(update=holes)

    smooth, few, many = (
        value_plot(report, one).svg for one in (whole, with_gaps(12), with_gaps(2))
    )
    band = re.compile(rb'd="([^"]*)" fill="#0072b2"')
    pieces = [band.search(one) for one in (smooth, few)]
    assert [one and one[1].count(b"M") for one in pieces] == [
        1,
        -(-(len(whole.share) - 1) // 12) + 1,
    ]
    bar = b'stroke-width="3" stroke-opacity="0.25"'  # the band of one point
    assert bar not in few
    assert bar in many


def test_words_are_shown_as_they_are(shop: Shop, now: datetime) -> None:
    report = _report(shop, now, 3)
    odd = report.series[0].model_copy(update={"value": "<$5 \\frac & \x07 é"})
    words = _words(value_plot(report, odd).svg)
    assert any(word.startswith("<$5 \\frac &  é") for word in words)


def test_small_multiples_stand_side_by_side(shop: Shop, now: datetime) -> None:
    report = _report(shop, now, 3)
    plot = attribute_plot(report, "material")
    assert plot.svg.count(b"<clipPath") == 4  # cotton, linen, wool and denim
    assert attribute_plot(report, "material") == plot
    with Image.open(io.BytesIO(plot.png)) as picture:
        assert picture.width == 1382


def test_ticks_lie_inside_and_no_two_are_told_alike() -> None:
    for top in (0.0012, 0.03, 0.2, 1.0):
        ticks = share_ticks(top, 3)
        assert ticks[0][0] == 0
        assert all(0 <= place <= top for place, _ in ticks)
        assert len({text for _, text in ticks}) == len(ticks)
    days = day_ticks(19_000.0, 20_000.0, 2, 5)
    assert 2 <= len(days) <= 6
    assert all(19_000 <= day <= 20_000 for day, _ in days)

"""What a rise or decline rests on, in words."""

from datetime import date

import pytest

from shared.schemas.trends import (
    FixedMix,
    LeadingSegment,
    MixVerdict,
    OriginShare,
    TrendOptions,
    TrendReport,
    TurningPoint,
)
from tests.fixtures.trend_pages import two_sources
from tests.unit.worker.trends.conftest import NOW
from worker.trends.grounds import grounds, joined, marked, of_lead, of_mix, of_origin, of_turns
from worker.trends.report import build_report


@pytest.fixture(scope="module")
def report() -> TrendReport:
    return build_report(two_sources(), TrendOptions(period="month"), generated_at=NOW)


def split(verdict: MixVerdict, *, within: float, mix: float) -> FixedMix:
    return FixedMix(
        before=0.2, after=0.2 + within + mix, within=within, mix=mix, low=within - 0.01,
        high=within + 0.01, sources=2, verdict=verdict,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("verdict", "beginning"),
    [("stays", "It stays when"), ("mix", "Most of it is the mix"), ("unclear", "Whether it stays")],
)
def test_whether_a_rise_stays_is_said_with_the_part_within(
    verdict: MixVerdict, beginning: str
) -> None:
    text = of_mix(split(verdict, within=0.03, mix=0.01), rises=True)
    assert text.startswith(beginning)
    assert "of +4.0 points" in text
    assert "+3.0 (95% interval +2.0 to +4.0)" in text


def test_nothing_stays_of_a_rise_whose_last_year_fell() -> None:
    text = of_mix(split("stays", within=-0.03, mix=-0.01), rises=True)
    assert text.startswith("Whether it stays")
    assert "\N{MINUS SIGN}4.0 points" in text


def test_turning_points_are_told_by_month_and_side() -> None:
    up = TurningPoint(at=date(2025, 3, 10), upward=True)
    down = TurningPoint(at=date(2025, 11, 3), upward=False)
    assert of_turns((up,)) == (
        "Turning point: it ran from around March 2025 above where it had been heading."
    )
    assert "March 2025 above and from around November 2025 below where" in of_turns((up, down))


@pytest.mark.parametrize("alone", [True, False])
def test_a_leading_segment_is_told_with_its_lag_and_both_errors(*, alone: bool) -> None:
    lead = LeadingSegment(
        segment="runway", lag=6, pull=0.5, alone=alone, error_without=0.8, error_with=0.714
    )
    text = of_lead(lead, "week")
    assert "segment runway, which moves 6 weeks earlier" in text
    assert "0.71 with it, 0.80 without" in text
    assert ("as all values that it holds" in text) is not alone


@pytest.mark.parametrize(
    ("origin", "mark", "text"),
    [
        (OriginShare(), "", ""),
        (OriginShare(given=0, predicted=1), "predicted", "predicted from labelled garments."),
        (OriginShare(given=0, measured=1), "", "measured from the pictures."),
        (OriginShare(given=0, style=1), "", "found without labels."),
        (
            OriginShare(given=0.5, measured=0.2, predicted=0.3),
            "30% predicted",
            "50% given, 20% measured from the picture and 30% predicted from labelled garments.",
        ),
        (OriginShare(given=0.998, predicted=0.002), "<1% predicted", ""),
    ],
)
def test_how_a_value_is_known_is_told_and_predictions_are_marked(
    origin: OriginShare, mark: str, text: str
) -> None:
    assert marked(origin) == mark
    assert of_origin(origin).endswith(text)
    assert bool(of_origin(origin)) == bool(text)


def test_what_applies_is_told_and_nothing_else(report: TrendReport) -> None:
    found = {one.value: one for one in report.series}
    linen, neon = grounds(report, found["linen"]), grounds(report, found["neon"])
    assert linen[0].startswith("It stays")
    assert "predicted from labelled garments" in linen[-1]
    assert neon[0].startswith("Most of it is the mix")
    assert not any("known" in line for line in neon)
    plain = found["navy"].model_copy(
        update={"fixed_mix": None, "turning_points": (), "lead": None, "origin": OriginShare()}
    )
    assert grounds(report, plain) == []


def test_lists_are_joined_as_people_do() -> None:
    assert joined(["a"]) == "a"
    assert joined(["a", "b", "c"]) == "a, b and c"

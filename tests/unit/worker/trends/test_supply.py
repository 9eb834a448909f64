"""The data behind a report, in words."""

from datetime import date

import pytest

from shared.schemas.trends import MixChange, TrendOptions, TrendReport
from tests.fixtures.trend_pages import two_sources
from tests.unit.worker.trends.conftest import NOW
from worker.trends import supply
from worker.trends.report import build_report


@pytest.fixture(scope="module")
def report() -> TrendReport:
    return build_report(two_sources(), TrendOptions(period="month"), generated_at=NOW)


def having(report: TrendReport, **changed: object) -> TrendReport:
    return report.model_copy(update={"data": report.data.model_copy(update=changed)})


def test_one_source_alone_is_not_told_of(report: TrendReport) -> None:
    assert supply.has_sources(report.data)
    assert not supply.has_sources(having(report, sources=()).data)
    alone = having(report, sources=report.data.sources[:1], capped_accounts=0)
    assert not supply.has_sources(alone.data)
    assert supply.has_sources(having(alone, capped_accounts=1).data)


def test_accounts_held_down_are_counted_with_the_cap(report: TrendReport) -> None:
    assert supply.of_caps(having(report, capped_accounts=0)) == ""
    assert supply.of_caps(having(report, capped_accounts=1)).startswith("1 account was held down")
    assert "3 accounts were" in supply.of_caps(having(report, capped_accounts=3))
    assert "may have 5% of its weight" in supply.of_caps(having(report, capped_accounts=3))


def test_the_cap_of_sources_is_said_as_it_is_for_two(report: TrendReport) -> None:
    assert "50% of a month's weight, or two thirds" in supply.of_source_cap(report)
    loose = report.model_copy(update={"options": TrendOptions(source_cap=0.8)})
    assert "80% of a month's weight, as far" in supply.of_source_cap(loose)


def test_a_change_of_the_mix_is_dated_and_names_the_source() -> None:
    change = MixChange(period=date(2025, 10, 1), source="blog", before=0.2, after=0.6, distance=0.4)
    text = supply.of_change(change, "month")
    assert text.startswith("From October 2025 on blog makes 60% of the weight, after 20%")
    assert "40% of all weight moved" in text
    assert supply.more_changes([change] * 15) == 3
    assert supply.more_changes([change]) == 0


def test_neighbouring_periods_are_told_as_one_stretch(report: TrendReport) -> None:
    days = report.periods
    thin = having(report, thin_at=(days[0], days[1], days[2], days[5]), gaps_at=(days[7],))
    assert supply.of_thin(thin) == (
        "4 months hold fewer than 30 garments of any attribute, and move the forecast less: "
        "October 2023 to December 2023, March 2024."
    )
    assert supply.of_gaps(thin) == "1 month holds nothing at all: May 2024."
    none = having(report, thin_at=(), gaps_at=())
    assert (supply.of_thin(none), supply.of_gaps(none)) == ("", "")


def test_many_stretches_are_cut_short(report: TrendReport) -> None:
    text = supply.of_gaps(having(report, gaps_at=report.periods[::2]))
    assert text.endswith(f"and {len(report.periods[::2]) - supply.SHOWN_SPANS} more stretches.")


@pytest.mark.parametrize(
    ("period", "text"),
    [("week", "1 October 2025"), ("month", "October 2025"),
     ("quarter", "the fourth quarter of 2025")],
)  # fmt: skip
def test_a_period_is_named_by_its_length(period: str, text: str) -> None:
    assert supply.when(date(2025, 10, 1), period) == text  # type: ignore[arg-type]

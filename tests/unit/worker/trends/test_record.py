"""What earlier reports said, beside what happened."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest

from shared.errors import ReportCorruptError
from shared.schemas.trends import TrendOptions, TrendReport
from worker.trends.difference import difference
from worker.trends.issued import (
    Issued,
    every_series,
    issue,
    key_of,
    read,
    read_all,
    seasonal_naive,
    write,
)
from worker.trends.observations import Observations
from worker.trends.page import render
from worker.trends.record import track_record
from worker.trends.report import build_report
from worker.trends.saying import news, of_data

Shop = Callable[..., Observations]
DAYS = ("2026-02-10", "2026-05-04", "2026-08-20")


def as_on(shop: Observations, day: str) -> TrendReport:
    """Return the report that would have been made on a day, from what was there by then."""
    kept = np.where(shop.dates < np.datetime64(day), shop.dates, np.datetime64("NaT"))
    made_at = datetime.fromisoformat(day).replace(tzinfo=UTC)
    return build_report(replace(shop, dates=kept), TrendOptions(), generated_at=made_at)


@pytest.fixture(scope="module")
def reports() -> Sequence[TrendReport]:
    from tests.unit.worker.trends.conftest import make_shop

    shop = make_shop(4000)
    return [as_on(shop, day) for day in DAYS]


@pytest.fixture(scope="module")
def issues(reports: Sequence[TrendReport]) -> list[Issued]:
    return [issue(one, f"rep_{day}") for one, day in zip(reports, DAYS, strict=True)]


def test_what_was_issued_is_read_back_as_it_was(issues: list[Issued]) -> None:
    again = read(write(issues[0]))
    assert (again.keys, again.kinds, again.periods) == (
        issues[0].keys, issues[0].kinds, issues[0].periods,
    )  # fmt: skip
    np.testing.assert_allclose(again.bands, issues[0].bands, rtol=1e-6)
    np.testing.assert_allclose(again.naive, issues[0].naive, rtol=1e-6)


def test_bytes_that_are_not_what_was_issued_are_not_read(issues: list[Issued]) -> None:
    good = write(issues[0])
    with pytest.raises(ReportCorruptError, match="backup"):
        read(good[: len(good) // 2])
    found, wrong = read_all([("a", "0" * 64)], lambda _: good)
    assert found == []
    assert "not those that were issued" in wrong[0]


def test_every_forecast_that_came_due_is_scored_by_hand(
    reports: Sequence[TrendReport], issues: list[Issued]
) -> None:
    last = reports[-1]
    record = track_record(last, issues[:-1])
    over = [day for day in last.periods if day < date(2026, 8, 1)]  # August was not over
    errors, inside, naive = [], [], []
    for one in issues[:-1]:
        for row, key in enumerate(one.keys):
            series = next(each for each in every_series(last) if key_of(each) == key)
            for column, day in enumerate(one.periods):
                happened = series.share[last.periods.index(day)] if day in over else None
                if happened is not None:
                    errors.append(abs(happened - one.bands[0, row, column]))
                    naive.append(abs(happened - one.naive[row, column]))
                    inside.append(
                        one.bands[1, row, column] <= happened <= one.bands[2, row, column]
                    )
    assert record.total.forecasts == len(errors) > 0
    assert record.total.error == pytest.approx(np.mean(errors), rel=1e-4)
    assert record.total.naive_error == pytest.approx(np.mean(naive), rel=1e-4)
    assert record.total.coverage80 == pytest.approx(np.mean(inside), rel=1e-4)


def test_the_newest_period_is_told_by_who_spoke_of_it_first(
    reports: Sequence[TrendReport], issues: list[Issued]
) -> None:
    record = track_record(reports[-1], issues[:-1])
    assert {line.period for line in record.lines} == {date(2026, 7, 1)}
    spoke = next(one for one in issues if date(2026, 7, 1) in one.periods)
    assert {line.report_id for line in record.lines} == {spoke.report_id}
    assert {line.ahead for line in record.lines} == {spoke.periods.index(date(2026, 7, 1)) + 1}
    one = record.lines[0]
    assert one.error == pytest.approx(one.happened - one.mean, abs=1e-5)


def test_single_segments_are_issued_and_scored_too(
    reports: Sequence[TrendReport], issues: list[Issued]
) -> None:
    names = {one.name for one in reports[-1].segments}
    assert names
    assert {key.segment for key in issues[-1].keys} == {None, *names}
    record = track_record(reports[-1], issues[:-1])
    assert {line.segment for line in record.lines} >= names


def test_of_two_reports_with_one_origin_the_first_counts(
    reports: Sequence[TrendReport], issues: list[Issued]
) -> None:
    later = replace(
        issues[0], report_id="later", issued_at=issues[0].issued_at.replace(day=20),
        bands=issues[0].bands * 0,
    )  # fmt: skip
    alone = track_record(reports[-1], issues[:1])
    assert track_record(reports[-1], [later, issues[0]]) == alone


def test_nothing_is_scored_before_a_period_is_over(
    reports: Sequence[TrendReport], issues: list[Issued]
) -> None:
    record = track_record(reports[-1], issues[-1:])
    assert record.total.forecasts == 0
    assert record.total.error is None


def test_last_years_value_stands_for_the_same_place_in_the_year() -> None:
    share = [0.1, 0.2, 0.3, 0.4, 0.5, None, 0.7, 0.8]
    np.testing.assert_allclose(seasonal_naive(share, 4, 5), [0.5, 0.2, 0.7, 0.8, 0.5])
    np.testing.assert_allclose(seasonal_naive([None, 0.3], 4, 2), [0.3, 0.3])


def test_the_difference_tells_what_began_what_ended_and_what_was_revised(
    issues: list[Issued],
) -> None:
    before, now = issues[1], issues[2]
    kinds = {key.value: place for place, key in enumerate(now.keys)}
    old, new = list(before.kinds), list(now.kinds)
    old[kinds["linen"]], new[kinds["linen"]] = "stable", "rising"
    old[kinds["denim"]], new[kinds["denim"]] = "declining", "stable"
    old[kinds["wool"]], new[kinds["wool"]] = "stable", "seasonal"
    bands = now.bands.copy()
    bands[:, kinds["cotton"]] *= 2
    found = difference(
        replace(before, kinds=tuple(old)), replace(now, kinds=tuple(new), bands=bands)
    )
    assert [one.value for one in found.new_rises] == ["linen"]
    assert [one.value for one in found.ended] == ["denim"]
    assert "wool" in [one.value for one in found.class_changes]
    assert found.revisions[0].value == "cotton"
    assert found.revisions[0].outside80
    assert found.against == f"rep_{DAYS[1]}"


def test_what_only_came_to_have_enough_data_is_counted_and_not_told_one_by_one(
    issues: list[Issued],
) -> None:
    kinds = ["insufficient", "insufficient", *issues[0].kinds[2:]]
    now = ["stable", "stable", *issues[0].kinds[2:-1], "insufficient"]
    before = replace(issues[0], kinds=(*kinds[:-1], "stable"))
    found = difference(before, replace(issues[0], report_id="again", kinds=tuple(now)))
    assert len(found.class_changes) == 3
    assert news(found) == []
    assert of_data(found) == (
        "Of the other values 2 can be judged now that could not be then, and 1 could be judged "
        "then and cannot now: their data is thin."
    )


def test_a_report_without_change_has_an_empty_difference(issues: list[Issued]) -> None:
    found = difference(issues[0], replace(issues[0], report_id="again"))
    assert (found.new_rises, found.new_falls, found.ended, found.class_changes) == ((), (), (), ())
    assert {one.revision for one in found.revisions} == {0.0}


def test_the_page_prints_the_record_and_what_is_new(
    reports: Sequence[TrendReport], issues: list[Issued]
) -> None:
    told = reports[-1].model_copy(
        update={
            "record": track_record(reports[-1], issues[:-1]),
            "difference": difference(issues[1], issues[2]),
        }
    )
    files = render(told)
    page = files["report.html"].decode()
    assert "Said, and happened" in page
    assert "What is new" in page
    assert {"record.json", "difference.json"} <= files.keys()
    assert "record.json" not in render(reports[0])

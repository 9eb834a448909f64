"""Which boards a report gives reason for, and what hangs on the racks."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime

import pytest

from shared.schemas.boards import Board, MoodboardSet, Rack, RackPiece
from shared.schemas.trends import TrendOptions, TrendReport, ValueEvidence
from worker.trends.board_page import render_boards
from worker.trends.boards import LEAST_PICTURES, Takes, apportioned, plan_boards
from worker.trends.observations import Observations
from worker.trends.page import render
from worker.trends.report import build_report

PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00:~\x9bU"
    b"\x00\x00\x00\nIDATx\x9cc`\x00\x00\x00\x02\x00\x01H\xaf\xa4q\x00\x00\x00\x00IEND\xaeB`\x82"
)
TAKES = Takes({"material": ("linen", "denim"), "category": ("dress", "coat")}, colours=True)


@pytest.fixture(scope="module")
def plain() -> TrendReport:
    from tests.unit.worker.trends.conftest import NOW, make_shop

    return build_report(make_shop(), TrendOptions(), generated_at=NOW)


def with_evidence(report: TrendReport, images: int) -> TrendReport:
    behind = ValueEvidence(
        attribute="material",
        value="linen",
        images=images,
        sources=1,
        since=report.periods[-3],
        garments=tuple(f"gar_{place}" for place in range(min(images, 8))),
    )
    return report.model_copy(update={"evidence": (behind,)})


def test_a_significant_rise_that_the_release_can_draw_has_a_board(plain: TrendReport) -> None:
    plan = plan_boards(with_evidence(plain, 40), TAKES, rack=0)
    assert [board.series.value for board in plan.boards] == ["linen"]
    assert plan.boards[0].condition == {"material": "linen"}
    assert plan.left_out == ()


def test_thin_evidence_makes_no_board_and_says_so(plain: TrendReport) -> None:
    plan = plan_boards(with_evidence(plain, LEAST_PICTURES - 1), TAKES, rack=0)
    assert plan.boards == ()
    assert plan.is_empty
    assert "The evidence is thin: 3 pictures" in plan.left_out[0].why
    assert "0 pictures" in plan_boards(plain, TAKES, rack=0).left_out[0].why


def test_a_rise_that_the_release_does_not_know_has_no_board(plain: TrendReport) -> None:
    takes = Takes({"material": ("denim",)}, colours=False)
    plan = plan_boards(with_evidence(plain, 40), takes, rack=24)
    assert plan.is_empty
    assert plan.left_out[0].why == "The release cannot be asked for material 'linen'."


def test_the_racks_hang_in_the_seasons_proportions(plain: TrendReport) -> None:
    plan = plan_boards(plain, TAKES, rack=24)
    now, ahead = plan.this_season, plan.next_season
    assert now is not None
    assert ahead is not None
    for rack in (now, ahead):
        assert len(rack.pieces) == 24
        for name, shares in rack.shares.items():
            counts = Counter(condition[name] for condition, _ in rack.pieces)
            for value, share in shares.items():
                assert abs(counts[value] - 24 * share) < 1
    assert {tuple(condition) for condition, _ in now.pieces} == {("category", "colour")}
    length = len([day for day in plain.forecast_periods if day <= ahead.last])
    dress = next(one for one in plain.series if (one.attribute, one.value) == ("category", "dress"))
    coat = next(one for one in plain.series if (one.attribute, one.value) == ("category", "coat"))
    said = [sum(one.forecast.mean[:length]) for one in (dress, coat)]
    assert ahead.shares["category"]["dress"] == pytest.approx(said[0] / sum(said))


@pytest.mark.parametrize(
    ("shares", "size", "counts"),
    [
        ([0.5, 0.3, 0.2], 10, [5, 3, 2]),
        ([1 / 3, 1 / 3, 1 / 3], 10, [4, 3, 3]),
        ([0.99, 0.01], 4, [4, 0]),
        ([1.0], 0, [0]),
    ],
)
def test_places_are_shared_out_by_the_largest_remainder(
    shares: list[float], size: int, counts: list[int]
) -> None:
    assert apportioned(shares, size) == counts


def test_the_boards_page_holds_its_pictures_and_escapes_names(
    plain: TrendReport, now: datetime
) -> None:
    rack = Rack(
        first=plain.periods[-1],
        last=plain.periods[-1],
        shares={"category": {"<b>dress": 1.0}},
        pieces=(RackPiece(condition={"category": "<b>dress"}, design="des_2"),),
    )
    boards = MoodboardSet(
        report_id="rep_1",
        release_id="rel_1",
        job_id="job_1",
        made_at=now,
        seed=3,
        boards=(
            Board(
                attribute="material", value="<i>linen", condition={"material": "<i>linen"},
                change=0.9, images=12, sources=2, designs=("des_1",), evidence=("gar_1",),
                on_sale=(),
            ),
        ),
        left_out=(),
        this_season=rack,
        next_season=rack,
    )  # fmt: skip
    page = render_boards(plain, boards, dict.fromkeys(("des_1", "des_2", "gar_1"), PNG)).decode()
    assert page.count("data:image/png;base64,") == 4
    assert "<i>linen" not in page
    assert "<b>dress" not in page
    assert "<script" not in page
    assert "seen in 12 pictures of 2 sources" in page


def test_the_report_shows_the_pictures_behind_what_emerges(
    shop: Callable[..., Observations], now: datetime
) -> None:
    report = with_evidence(build_report(shop(), TrendOptions(), generated_at=now), 40)
    assert any(one.value == "linen" for one in report.emerging)
    page = render(report, {"gar_0": PNG, "gar_1": PNG})["report.html"].decode()
    assert page.count("data:image/png;base64,") == 2
    assert "40 pictures of 1 source" in page
    assert "Moodboards" not in page
    told = render(report, no_boards="Nothing <rises>.")["report.html"].decode()
    assert "There are none. Nothing &lt;rises&gt;." in told
    assert 'href="moodboard.html"' in render(report, no_boards="")["report.html"].decode()

"""Segments: each dense one by itself, in the panel's own series."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from shared.schemas.trends import TrendOptions
from tests.unit.worker.trends.test_series import TODAY
from worker.trends.evidence import MOST_GARMENTS, gather
from worker.trends.inside import look_inside
from worker.trends.observations import MEASURED, Observations
from worker.trends.segments import segment_panels, with_segments
from worker.trends.series import REST, build_panel

Shop = Callable[..., Observations]


def test_segments_have_the_rows_and_periods_of_the_whole(shop: Shop) -> None:
    seen, options = shop(12000), TrendOptions()
    panel = build_panel(seen, options, today=TODAY)
    parts = segment_panels(seen, options, panel)
    assert set(parts) == {"online", "store"}
    for name, part in parts.items():
        assert [replace(one, segment=None) for one in part.names] == list(panel.names)
        assert {one.segment for one in part.names} == {name}
        assert np.array_equal(part.starts, panel.starts)


def test_the_segments_sum_to_the_whole(shop: Shop) -> None:
    seen, options = shop(12000), TrendOptions()
    panel = build_panel(seen, options, today=TODAY)
    parts = list(segment_panels(seen, options, panel).values())
    assert sum(part.garments for part in parts) == pytest.approx(panel.garments)
    assert sum(part.weighted for part in parts) == pytest.approx(panel.weighted)
    assert sum(part.totals for part in parts) == pytest.approx(panel.totals)


def test_a_thin_segment_is_not_followed(shop: Shop) -> None:
    seen, options = shop(1500), TrendOptions(period="week")
    panel = build_panel(seen, options, today=TODAY)
    assert segment_panels(seen, options, panel) == {}


def test_segments_can_be_left_out(shop: Shop) -> None:
    seen = shop(12000)
    panel = build_panel(seen, TrendOptions(), today=TODAY)
    assert segment_panels(seen, TrendOptions(segments=False), panel) == {}


def test_rare_values_of_a_segment_join_its_rest(shop: Shop) -> None:
    seen, options = shop(12000), TrendOptions(minimum_garments=1250, pairs=False)
    panel = build_panel(seen, TrendOptions(pairs=False), today=TODAY)
    whole = with_segments(panel, segment_panels(seen, options, panel), options)
    online = [n.value for n in whole.names if n.segment == "online" and n.attribute == "material"]
    assert REST in online
    assert "cotton" in online
    rows = [at for at, n in enumerate(whole.names) if n.segment == "online"]
    share = whole.effective[rows] / whole.totals[rows]
    for group in set(whole.groups[rows].tolist()):
        assert share[whole.groups[rows] == group].sum(0) == pytest.approx(1)


def test_groups_of_segments_are_their_own(shop: Shop) -> None:
    seen, options = shop(12000), TrendOptions()
    panel = build_panel(seen, options, today=TODAY)
    whole = with_segments(panel, segment_panels(seen, options, panel), options)
    for group in np.unique(whole.groups):
        names = [whole.names[row] for row in np.flatnonzero(whole.groups == group)]
        assert len({(name.segment, name.attribute) for name in names}) == 1


def test_evidence_is_the_newest_garments_and_no_single_voice(shop: Shop) -> None:
    plain = shop(12000)
    number = len(plain)
    accounts = np.full(number, -1, dtype=np.int32)
    accounts[-100:] = 0
    seen = replace(
        plain,
        accounts=accounts,
        account_names=("loud",),
        sources=(np.arange(number) % 2).astype(np.int32),
        source_names=("shop", "blog"),
        ids=np.array([f"gar_{at}" for at in range(number)], dtype="S"),
        origins={"colour": np.full(number, MEASURED, dtype=np.int8)},
    )
    inside = look_inside(seen, TrendOptions(), today=TODAY)
    panel = build_panel(seen, TrendOptions(), today=TODAY, inside=inside)
    found = gather(seen, panel, inside)
    for row, name in enumerate(panel.names):
        shown = [int(one.removeprefix("gar_")) for one in found.garments[row]]
        assert len(shown) == MOST_GARMENTS
        assert sum(one >= number - 100 for one in shown) == 2
        origin = 1 if "colour" in name.attribute else 0
        assert found.origins[row].tolist() == [float(at == origin) for at in range(4)]
    assert set(found.sources.tolist()) == {2}
    assert found.accounts.max() == 1

"""Sources: their mix, and changes at a fixed mix."""

import numpy as np
import pytest

from shared.schemas.trends import FixedMix, TrendOptions
from tests.unit.worker.trends.test_series import TODAY
from worker.trends.inside import look_inside
from worker.trends.mixes import OTHERS, fixed_mix, mix_changes, seen, sources_of
from worker.trends.observations import Observations, from_rows
from worker.trends.series import build_panel

OPTIONS = TrendOptions(period="month", source_cap=1, pairs=False)
MONTHS = np.arange("2024-10", "2026-10", dtype="datetime64[M]").astype("datetime64[D]")


def _world(
    blog_share: tuple[float, float], linen: tuple[tuple[float, float], tuple[float, float]]
) -> Observations:
    """Two sources over two years: the blog's part, and linen in shop and blog, each year."""
    rows: list[tuple[str, str, str, float]] = []
    for month, day in enumerate(MONTHS):
        year = month // 12
        parts = {"shop": 1 - blog_share[year], "blog": blog_share[year]}
        for at, (source, part) in enumerate(parts.items()):
            share = linen[at][year]
            for value, count in (("linen", share), ("wool", 1 - share)):
                rows.append((str(day), source, value, round(400 * part * count)))
    days, sources, values, counts = zip(*rows, strict=True)
    return from_rows(list(days), {"material": list(values)}, counts=counts, sources=list(sources))


def _split(world: Observations) -> FixedMix:
    inside = look_inside(world, OPTIONS, today=TODAY)
    panel = build_panel(world, OPTIONS, today=TODAY, inside=inside)
    found = fixed_mix(
        world, panel, inside, sources_of(world, inside),
        windows=np.full(2, 12), scatter=np.ones(2),
    )  # fmt: skip
    linen = found[[name.value for name in panel.names].index("linen")]
    assert linen is not None
    return linen


def test_a_rise_of_the_mix_alone_is_told_as_that() -> None:
    found = _split(_world((0.2, 0.8), ((0.1, 0.1), (0.5, 0.5))))
    assert found.after - found.before == pytest.approx(0.24, abs=0.002)
    assert found.within == pytest.approx(0, abs=0.002)
    assert found.verdict == "mix"


def test_a_rise_within_the_sources_stays() -> None:
    found = _split(_world((0.2, 0.8), ((0.1, 0.3), (0.2, 0.4))))
    assert found.verdict == "stays"
    assert found.within == pytest.approx(0.2, abs=0.005)


def test_a_fall_within_that_the_mix_hides_is_unclear_or_mix_never_stays() -> None:
    found = _split(_world((0.2, 0.8), ((0.15, 0.1), (0.5, 0.45))))
    assert found.within < 0 < found.mix
    assert found.verdict == "mix"


def test_both_parts_sum_to_the_change() -> None:
    found = _split(_world((0.3, 0.6), ((0.1, 0.2), (0.5, 0.3))))
    assert found.within + found.mix == pytest.approx(found.after - found.before, abs=1e-5)


def test_a_new_source_is_mix() -> None:
    found = _split(_world((0.0, 0.5), ((0.1, 0.1), (0.5, 0.5))))
    assert found.within == pytest.approx(0, abs=1e-6)
    assert found.sources == 1
    assert found.verdict == "mix"


def test_the_period_of_a_shift_is_told_once_with_its_source() -> None:
    world = _world((0.2, 0.8), ((0.1, 0.1), (0.5, 0.5)))
    inside = look_inside(world, OPTIONS, today=TODAY)
    panel = build_panel(world, OPTIONS, today=TODAY, inside=inside)
    (change,) = mix_changes(panel, sources_of(world, inside))
    assert str(change.period) == "2025-10-01"
    assert change.distance == pytest.approx(0.6, abs=0.01)


def test_a_steady_mix_is_not_flagged_for_its_noise() -> None:
    rng = np.random.default_rng(0)
    days = np.datetime64("2024-10-01") + rng.integers(0, 729, 4000).astype("timedelta64[D]")
    world = from_rows(
        days,
        {"material": rng.choice(["linen", "wool"], 4000).tolist()},
        sources=rng.choice(["a", "b", "c"], 4000).tolist(),
    )
    inside = look_inside(world, OPTIONS, today=TODAY)
    panel = build_panel(world, OPTIONS, today=TODAY, inside=inside)
    assert mix_changes(panel, sources_of(world, inside)) == ()


def test_what_each_source_gave_is_told() -> None:
    world = _world((0.2, 0.8), ((0.1, 0.1), (0.5, 0.5)))
    inside = look_inside(world, OPTIONS, today=TODAY)
    found = sources_of(world, inside)
    assert found is not None
    told = {one.name: one for one in seen(world, inside, found)}
    assert told["shop"].garments == told["blog"].garments == 4800
    assert told["shop"].share == pytest.approx(0.5)
    assert OTHERS not in told

"""The drawn catalog and its written-down trends."""

import csv
import io
import zipfile
from collections import Counter
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.demo import drawn, shapes
from shared.errors import InvalidInputError

END = date(2026, 11, 23)


def test_everything_in_the_table_can_be_drawn_and_the_table_is_in_the_docstring() -> None:
    known = {
        "category": set(shapes.SILHOUETTES),
        "colour": set(shapes.CLOTHS),
        "pattern": set(shapes.PATTERNS),
    }
    for attribute in drawn.ATTRIBUTES:
        assert {trend.value for trend in drawn.trends_of(attribute)} == known[attribute]
    written = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (drawn.__doc__ or "").splitlines()
        if line.startswith("| ") and "attribute" not in line
    ]
    assert [row[:4] for row in written] == [
        [trend.attribute, trend.value, f"{trend.weight:g}", trend.kind] for trend in drawn.TRENDS
    ]


def test_true_shares_sum_to_one_on_every_day() -> None:
    for attribute in drawn.ATTRIBUTES:
        for day in (date(2023, 11, 24), date(2025, 2, 1), END):
            assert sum(drawn.true_shares(attribute, day, end=END).values()) == pytest.approx(1)


def test_each_kind_of_trend_moves_as_it_says() -> None:
    def share(attribute: str, value: str, *day: int) -> float:
        return drawn.true_shares(attribute, date(*day), end=END)[value]

    assert share("category", "dress", 2026, 11, 1) > 2 * share("category", "dress", 2023, 12, 1)
    assert share("colour", "grey", 2026, 11, 1) < 0.5 * share("colour", "grey", 2023, 12, 1)
    assert share("category", "coat", 2025, 12, 5) > 3 * share("category", "coat", 2025, 6, 5)
    assert share("colour", "pink", 2026, 1, 20) > 4 * share("colour", "pink", 2026, 6, 20)
    assert share("pattern", "plain", 2026, 11, 1) == pytest.approx(
        share("pattern", "plain", 2024, 11, 1), rel=0.1
    )


def test_planned_garments_are_dated_evenly_over_three_years_to_the_end() -> None:
    garments = drawn.plan(count=1000, end=END)
    days = [garment.date for garment in garments]
    assert (days[0], days[-1]) == (date(2023, 11, 24), END)
    assert days == sorted(days)
    assert set(Counter((day.year, day.month) for day in days[20:-30]).values()) <= set(
        range(10, 31)
    )


def test_the_shares_of_a_quarter_are_close_to_the_truth() -> None:
    garments = [g for g in drawn.plan(end=END) if date(2025, 4, 1) <= g.date < date(2025, 7, 1)]
    for attribute in drawn.ATTRIBUTES:
        counted = Counter(getattr(garment, attribute) for garment in garments)
        truth = [drawn.true_shares(attribute, garment.date, end=END) for garment in garments]
        for value in truth[0]:
            expected = float(np.mean([shares[value] for shares in truth]))
            assert counted[value] / len(garments) == pytest.approx(expected, abs=0.02)


def test_the_attributes_are_independent_of_each_other() -> None:
    garments = drawn.plan(end=END)
    pairs = Counter((garment.category, garment.pattern) for garment in garments)
    assert len(pairs) == 8 * 5
    categories = Counter(garment.category for garment in garments)
    patterns = Counter(garment.pattern for garment in garments)
    for (category, pattern), seen in pairs.items():
        expected = categories[category] * patterns[pattern] / len(garments)
        assert abs(seen - expected) < 5 * np.sqrt(expected)


def test_the_same_seed_and_end_write_the_same_archive(tmp_path: Path) -> None:
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        drawn.write_archive(tmp_path / name, count=12, seed=seed, end=END)
    contents = [(tmp_path / name).read_bytes() for name in "abc"]
    assert contents[0] == contents[1]
    assert contents[0] != contents[2]
    assert len(list(tmp_path.iterdir())) == 3


def test_the_archive_holds_32_pixel_garments_on_near_white_and_a_row_for_each(
    tmp_path: Path,
) -> None:
    drawn.write_archive(tmp_path / "drawn.zip", count=40, end=END)
    with zipfile.ZipFile(tmp_path / "drawn.zip") as archive:
        rows = list(csv.DictReader(io.TextIOWrapper(archive.open("labels.csv"))))
        assert list(rows[0]) == ["image", "category", "colour", "pattern", "date"]
        assert {row["image"] for row in rows} == set(archive.namelist()) - {"labels.csv"}
        for row in rows:
            picture = np.asarray(Image.open(archive.open(row["image"])))
            assert picture.shape == (32, 32, 3)
            assert picture[0].min() > 235
            covered = (np.abs(picture.astype(int) - 250).max(axis=-1) > 12).mean()
            assert 0.12 < covered < 0.75, row


def test_a_catalog_of_nothing_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="at least one"):
        drawn.plan(count=0, end=END)

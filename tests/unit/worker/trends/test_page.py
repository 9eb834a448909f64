"""The page and its plots: self-contained, escaped, and drawn for any report."""

import io
import json
import re
import sys
from collections.abc import Callable
from datetime import datetime
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from shared.schemas.trends import TrendOptions, TrendReport
from worker.trends import words
from worker.trends.observations import Observations, from_rows
from worker.trends.page import render
from worker.trends.plots import slug
from worker.trends.report import build_report
from worker.trends.words import growth, percent, trust

Shop = Callable[..., Observations]


@pytest.fixture(scope="module")
def report() -> TrendReport:
    from tests.unit.worker.trends.conftest import NOW, make_shop

    return build_report(make_shop(), TrendOptions(), generated_at=NOW)


@pytest.fixture(scope="module")
def files(report: TrendReport) -> dict[str, bytes]:
    return render(report)


class _Addresses(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.found += [value or "" for name, value in attrs if name in {"src", "href"}]


def test_the_files_are_the_report_the_page_and_plots(
    report: TrendReport, files: dict[str, bytes]
) -> None:
    assert TrendReport.model_validate(json.loads(files["report.json"])) == report
    plots = [name for name in files if name.startswith("plots/")]
    assert any("rising-01-material-linen" in name for name in plots)
    assert {name[:-4] for name in plots if name.endswith(".png")} == {
        name[:-4] for name in plots if name.endswith(".svg")
    }
    for name in plots:
        if name.endswith(".svg"):
            assert files[name].rstrip().endswith(b"</svg>")
            continue
        with Image.open(io.BytesIO(files[name])) as picture:
            assert picture.format == "PNG"
            assert picture.width >= 700


def test_the_page_asks_nothing_of_the_network(files: dict[str, bytes]) -> None:
    page = files["report.html"].decode()
    parser = _Addresses()
    parser.feed(page)
    assert all(address.startswith("data:image/svg+xml;base64,") for address in parser.found)
    assert "script" not in parser.tags
    assert not re.search(r"url\(|@import", page)


def test_the_page_says_what_rises_and_how_far_to_trust_it(files: dict[str, bytes]) -> None:
    page = files["report.html"].decode()
    assert "<strong>Linen</strong> is rising" in page
    assert "Same as last year" in page
    assert "comes back every year" in page


def test_text_from_outside_is_escaped(now: datetime) -> None:
    rng = np.random.default_rng(0)
    day = rng.integers(0, 1095, 2000)
    evil = "<script>alert(1)</script> $\\frac$ \N{SNOWMAN}"
    values = [evil if one else "{{ 7 * 7 }}" for one in rng.random(2000) < 0.2 * 1.5 ** (day / 365)]
    seen = from_rows(
        np.datetime64("2023-10-01") + day.astype("timedelta64[D]"),
        {"../<b>name": values},
        segments=["<i>"] * 2000,
    )
    files = render(build_report(seen, TrendOptions(), generated_at=now))
    page = files["report.html"].decode()
    assert "<script>" not in page
    assert "<b>name" not in page
    assert "<i>" not in page
    assert "{{ 7 * 7 }}" in page
    assert all(
        re.fullmatch(
            r"report\.(json|html)|(series|forecast)\.(csv|parquet)|plots/[\w-]+\.(png|svg)", name
        )
        for name in files
    )


def test_a_report_in_which_nothing_happens_is_still_a_page(shop: Shop, now: datetime) -> None:
    made = build_report(shop(400, years=0.7), TrendOptions(), generated_at=now)
    page = render(made)["report.html"].decode()
    assert "There is too little to call any trend" in page
    assert trust(made)


def test_drawing_leaves_no_global_state_behind(files: dict[str, bytes]) -> None:
    assert files
    pyplot = sys.modules.get("matplotlib.pyplot")  # Keras may have loaded it before
    assert pyplot is None or pyplot.get_fignums() == []


@pytest.mark.parametrize(
    ("relative", "text"),
    [
        (0.234, "+23%"),
        (-0.08, "\N{MINUS SIGN}8%"),
        (0.001, "0%"),
        (1.5, "\N{MULTIPLICATION SIGN}2.5"),
        (90.0, "over \N{MULTIPLICATION SIGN}10"),
    ],
)
def test_growth_is_told_in_words_that_fit_its_size(relative: float, text: str) -> None:
    assert growth(relative) == text


def test_small_shares_keep_a_digit() -> None:
    assert percent(0.123) == "12%"
    assert percent(0.0123) == "1.2%"


def test_a_slug_is_safe_and_never_empty() -> None:
    assert slug("Colour", "Off White/Ecru") == "colour-off-white-ecru"
    assert slug("../..", "///") == "plot"


def test_attributes_head_their_sections_in_plain_words() -> None:
    assert words.heading("colour_family") == "Colour family"
    assert words.heading("category and colour") == "Category and colour"

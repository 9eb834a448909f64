"""A release's card as a page: self-contained, escaped, and made of any card."""

import re
from html.parser import HTMLParser
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from shared.schemas.figures import Figure
from worker.gan.card_page import number, render, told
from worker.gan.card_plots import SCALE_WIDTH, loss_plots, metric_plot, scale

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=y>"
FD = "fd_indomain[A@1a2b3c4d]"
VOID = {"meta", "img", "br", "line", "circle", "rect", "polyline", "polygon", "i"}


def a_sheet(rows: int = 2, *, size: int = 16) -> bytes:
    buffer = BytesIO()
    Image.fromarray(np.full((rows * size, 8 * size, 3), 200, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def a_figure(**changes: Any) -> dict[str, Any]:
    return {
        "key": FD, "value": 19.1, "interval": [18.2, 20.3], "n": 10_000, "floor": 0.73,
        "ceiling": 3950.0, "note": "kept back", **changes,
    }  # fmt: skip


def a_card(text: str = "dress") -> dict[str, Any]:
    return {
        "origin": {"model": text, "catalog": text, "catalog_version": 3, "release": "rel_1",
                   "made_at": "2026-11-26T11:40:00+00:00"},
        "trained_on": {"garments": 1492, "size": 16, "channels": 3, "fingerprint": "f" * 64,
                       "attributes": {text: {text: 800, "coat": 692}}},
        "recipe": {"preset": "residual", "minutes": 10.0, "hyper": {"batch": 32, "gamma": 1.0}},
        "spec": {"preset": "auto", "balance": None, "attributes": [text], "colours": True},
        "choices": [f"Network: {text}."],
        "device": {"kind": "cpu", "name": text, "policy": "float32"},
        "versions": {"python": "3.11"},
        "steps": 38750, "images_seen": 1_240_000, "seconds": 3604.2, "images_per_second": 344.0,
        "losses": [{"images": 100 * n, "discriminator": 1 / (n + 1), "generator": 1.0 + n,
                    "real_slope": 0.1} for n in range(20)],
        "metric": FD,
        "metric_curve": [{"images": 100 * n, "seconds": n, "value": 900 / n, "low": 800 / n,
                          "high": 950 / n} for n in range(1, 20)],
        "events": [{"step": 20, "cause": text, "went_back_to": 10, "changed": text}],
        "figures": [a_figure(note=text), a_figure(key="novel[B@0]", floor=None)],
        "baselines": [{"preset": text, "figures": [a_figure(value=605.0)]}],
        "warm_start": {"release": "rel_0", "note": text},
        "energy_joules": 113_040, "held_out": 149, "best_reading": 15,
        "intended_use": text, "not_intended_use": text, "licence": text,
    }  # fmt: skip


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


def words_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page.split("</style>")[1]).split())


def test_the_page_tells_what_the_card_tells() -> None:
    page = render(a_card(), grid=a_sheet()).decode()
    words = words_of(page)
    for told_words in (
        "version 3 of the catalog dress, 26 November 2026", "1,492 garments", "1.24 M images seen",
        "1 h 0 min of training", FD, "19.1", "18.2 to 20.3", "10,000", "605", "Network: dress.",
        "Went back to step 10", "release rel_0", "31.4 Wh", "Kept back 149", "this release",
        "float32", "batch 32",
        "Meant for", "Licence", "[A] is a classifier", "[B] is an encoder", "logarithmic",
    ):  # fmt: skip
        assert told_words in words
    assert "[C]" not in words
    assert page.count("<polyline") == 4
    assert page.count("data:image/png;base64,") == 1


def test_the_page_asks_nothing_of_the_network_and_runs_nothing() -> None:
    page = _Page(render(a_card(), grid=a_sheet()).decode())
    assert not {"script", "link", "iframe", "object", "form"} & set(page.tags)
    for name, value in page.attributes:
        assert not name.startswith("on")
        assert name not in {"src", "href"} or value.startswith("data:image/png;base64,")


def test_everything_that_a_catalog_or_a_caller_wrote_is_escaped() -> None:
    clean, dirty = (_Page(render(a_card(text), grid=a_sheet()).decode()) for text in ("ok", EVIL))
    assert dirty.tags == clean.tags
    assert [name for name, _ in dirty.attributes] == [name for name, _ in clean.attributes]


@pytest.mark.parametrize("left_out", [None, *a_card()])
def test_no_part_of_a_card_is_needed(left_out: str | None) -> None:
    card = {name: part for name, part in a_card().items() if left_out not in {None, name}}
    assert b"</html>" in render(card, grid=a_sheet())
    assert b"</html>" in render({**a_card(), str(left_out): None}, grid=a_sheet())
    assert b"</html>" in render({**a_card(), str(left_out): "odd"}, grid=a_sheet())


def test_rows_of_the_sheet_are_labelled_only_where_each_is_a_value() -> None:
    labels = r"<li>(dress|coat)</li>"
    assert re.findall(labels, render(a_card(), grid=a_sheet(2)).decode()) == ["dress", "coat"]
    assert re.findall(labels, render(a_card(), grid=a_sheet(1)).decode()) == ["dress"]
    assert re.findall(labels, render(a_card(), grid=a_sheet(3)).decode()) == []


def test_a_long_vocabulary_is_cut_and_the_rest_counted() -> None:
    card = a_card()
    card["trained_on"]["attributes"] = {"brand": {f"b{n}": 100 - n for n in range(20)}}
    assert "and 6 more with 501 garments" in words_of(render(card, grid=a_sheet()).decode())


def a_scale(value: float, floor: float, ceiling: float, *, key: str = FD, **others: float) -> Any:
    made = Figure(key=key, value=value, floor=floor, ceiling=ceiling)
    return scale(made, {name: Figure(key=key, value=one) for name, one in others.items()})


def test_what_is_better_lies_to_the_left_whichever_way_a_figure_counts() -> None:
    less = a_scale(20, 1, 4000, mlp=600)
    more = a_scale(0.8, 0, 0.94, key="prdc_indomain.recall[A@1]", mlp=0.2)
    assert (more.real, more.noise) == (0.94, 0)
    for made in (less, more):
        assert 8 <= made.value < made.others[0][1] <= SCALE_WIDTH
    assert (less.log, more.log) == (True, False)


def test_a_figure_beyond_its_scale_stays_on_the_page() -> None:
    assert a_scale(0.5, 1, 4000).value == 8
    assert a_scale(9999, 1, 4000).value == 222
    assert a_scale(1, 1, 1) is None


def test_losses_and_slopes_have_a_plot_each() -> None:
    curve = [{"images": n, "reconstruction": 1.0, "kl": 0.5, "real_slope": 0.1} for n in range(3)]
    losses, slopes = loss_plots(curve, events=[1])
    assert [line.name for line in losses.lines] == ["reconstruction", "kl"]
    assert [line.name for line in slopes.lines] == ["real slope"]
    assert len(losses.marks) == 1
    assert loss_plots([]) == loss_plots(curve[:1]) == []


def test_the_reading_whose_weights_the_release_has_is_marked() -> None:
    curve = [{"images": 100 * n, "value": 9.0 - n} for n in range(5)]
    plots = [metric_plot(curve, key=FD, real=None, best=best) for best in (4, None, 99)]
    assert [plot.chosen if plot else "none" for plot in plots] == [(970.0, 202.0), None, None]


def test_a_metric_read_once_or_in_nonsense_has_no_plot() -> None:
    assert metric_plot([{"images": 1, "value": 2.0}], key=FD, real=1.0) is None
    odd: list[dict[str, Any]] = [
        {"images": 1, "value": float("nan")},
        {"value": 2.0},
        {"images": 3, "value": "x"},
    ]
    assert metric_plot(odd, key=FD, real=None) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3950.4, "3,950"), (19.14, "19.1"), (0.73, "0.73"), (0.0312, "0.0312"),
        (-0.0001, "-0.0001"),
        (0.0, "0"), (100.0, "100"), (20.0, "20"), (float("nan"), "\N{EN DASH}"),
    ],
)  # fmt: skip
def test_numbers_have_three_digits_that_count(value: float, text: str) -> None:
    assert number(value) == text


def test_plain_data_is_told_in_words() -> None:
    assert told({"minutes": 10.0, "images": None}) == "minutes 10"
    assert told(["a", 1200, True]) == "a, 1,200, yes"
    assert told([]) == told(None) == told("") == "\N{EN DASH}"

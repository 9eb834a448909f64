"""Plain counts: what a row means, and what becomes of one that means nothing."""

import json
from pathlib import Path

import pytest

from shared.errors import TooLargeError, UnreadableSourceError
from worker.catalogs.counts import Coded, CountLimits, CountRows, read_counts


def _read(folder: Path, text: str, name: str = "counts.csv", **limits: int) -> CountRows:
    path = folder / "upload"
    path.write_text(text, encoding="utf-8")
    return read_counts(path, name, limits=CountLimits(**limits))


def _values(column: Coded) -> list[str | None]:
    return [None if code < 0 else column.values[code] for code in column.codes]


def test_a_row_is_a_day_labels_and_how_many(tmp_path: Path) -> None:
    rows = _read(
        tmp_path,
        "date,category,Color,count,engagement,market,audience,source,account\n"
        "2026-03-02,Dress,Red,12,3.5,FR,Influencers,Instagram,@ann\n"
        "2026-03,skirt,,4,,,,,\n",
    )
    assert [str(day) for day in rows.days] == ["2026-03-02", "2026-03-01"]
    assert rows.counts.tolist() == [12, 4]
    assert rows.weights.tolist() == [3.5, 1]
    assert set(rows.attributes) == {"category", "colour"}
    assert _values(rows.attributes["colour"]) == ["red", None]
    assert _values(rows.segment) == ["fr / influencers", None]
    assert _values(rows.source) == ["instagram", None]
    assert _values(rows.account) == ["@ann", None]


@pytest.mark.parametrize("name", ["week", "period_start", "period"])
def test_a_week_is_its_monday(tmp_path: Path, name: str) -> None:
    rows = _read(tmp_path, f"{name};category;n\n2026-W10;dress;5\n")
    assert [str(day) for day in rows.days] == ["2026-03-02"]


def test_without_a_column_of_counts_each_row_is_one(tmp_path: Path) -> None:
    assert _read(tmp_path, "date,category\n2026-03-02,dress\n").counts.tolist() == [1]


def test_json_lines_may_hold_their_labels_together(tmp_path: Path) -> None:
    lines = [
        {"date": "2026-03-02", "count": 3, "attributes": {"category": "dress", "print": True}},
        {"date": "2026-03-03", "category": "skirt", "length": ["midi"]},
    ]
    rows = _read(tmp_path, "\n".join(json.dumps(line) for line in lines), "counts.jsonl")
    assert _values(rows.attributes["category"]) == ["dress", "skirt"]
    assert _values(rows.attributes["print"]) == ["yes", None]
    assert "length" not in rows.attributes


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("03/02/2026,dress,5", "the day"),
        (",dress,5", "the day"),
        ("2026-03-02,,5", "names no label"),
        ("2026-03-02,dress,-1", "the count '-1'"),
        ("2026-03-02,dress,nan", "the count 'nan'"),
        ("2026-03-02,dress,many", "the count 'many'"),
        ("2026-03-02,dress,5,6", "4 cells"),
    ],
)
def test_a_row_that_means_nothing_is_named_by_its_line(
    tmp_path: Path, row: str, reason: str
) -> None:
    rows = _read(tmp_path, f"date,category,count\n2026-03-01,coat,1\n{row}\n2026-03-03,coat,2\n")
    assert rows.counts.tolist() == [1, 2]
    assert rows.rejected == 1
    assert rows.rejections[0].name == "counts.csv line 3"
    assert reason in rows.rejections[0].reason


def test_a_line_that_is_no_json_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    text = '{"date": "2026-03-02", "category": "coat"}\n{oops\n[1]\n'
    rows = _read(tmp_path, text, "counts.jsonl")
    assert len(rows) == 1
    assert [one.name for one in rows.rejections] == [
        "counts.jsonl line 2", "counts.jsonl line 3",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("category,count\ndress,5\n", "no column that gives the day"),
        ("date,category,category\n", "more than one column named category"),
        ('date,category\n2026-03-02,"dress\n', "cannot be read as CSV"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_one_error(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(UnreadableSourceError, match=reason):
        _read(tmp_path, text)


def test_what_is_no_text_is_one_error(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(b"date,category\n2026-03-02,\xff\xfe\n")
    with pytest.raises(UnreadableSourceError, match="not UTF-8"):
        read_counts(path, "counts.csv")


def test_too_many_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TooLargeError, match="more than 2 rows"):
        _read(tmp_path, "date,category\n" + "2026-03-02,dress\n" * 3, max_rows=2)


def test_a_column_of_texts_is_ignored_and_told(tmp_path: Path) -> None:
    text = "date,category,story\n" + f"2026-03-02,dress,{'long ' * 30}\n"
    rows = _read(tmp_path, text)
    assert set(rows.attributes) == {"category"}
    assert "story" in rows.remarks[0].reason


def test_one_row_a_brand_is_no_text(tmp_path: Path) -> None:
    text = "date,brand,count\n" + "".join(f"2026-03-02,brand {n},3\n" for n in range(300))
    assert len(_read(tmp_path, text).attributes["brand"].values) == 300


def test_of_many_faults_the_first_are_kept_and_all_are_counted(tmp_path: Path) -> None:
    rows = _read(tmp_path, "date,category\n" + "never,dress\n" * 9, max_reports=2)
    assert rows.rejected == 9
    assert len(rows.rejections) == 2

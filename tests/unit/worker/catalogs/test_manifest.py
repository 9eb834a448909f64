"""Manifests and what their cells mean."""

from datetime import date

import pytest

from shared.errors import UnreadableSourceError
from worker.catalogs.fields import label_name, label_value, read_date
from worker.catalogs.manifest import Manifest, read_manifest


def read(text: str | bytes, name: str = "labels.csv") -> Manifest:
    content = text if isinstance(text, bytes) else text.encode()
    return read_manifest(name, content, max_attributes=32)


def test_a_row_gives_category_labels_date_weight_and_segment() -> None:
    manifest = read(
        "Image,Category,Color,Sleeve Length,date,weight,segment\n"
        "a/1.jpg,T-Shirt,Navy  Blue,Long,2024-05-31,12.5,Women\n"
    )
    (row,) = manifest.rows
    assert (row.line, row.image) == (2, "a/1.jpg")
    assert row.fields.attributes == {
        "category": "t-shirt",
        "colour": "navy blue",
        "sleeve_length": "long",
    }
    assert (row.fields.date, row.fields.weight) == (date(2024, 5, 31), 12.5)
    assert row.fields.segment == "women"


@pytest.mark.parametrize("column", ["image", "File", "filename", "PATH"])
@pytest.mark.parametrize("category", ["category", "class", "label"])
def test_the_file_and_the_category_have_several_names(column: str, category: str) -> None:
    (row,) = read(f"{column},{category}\n1.jpg,dress\n").rows
    assert (row.image, row.fields.attributes) == ("1.jpg", {"category": "dress"})


def test_of_several_category_columns_the_first_name_wins_and_the_others_are_labels() -> None:
    (row,) = read("label,image,category\nAcme,1.jpg,dress\n").rows
    assert row.fields.attributes == {"category": "dress", "label": "acme"}


@pytest.mark.parametrize("cell", ["", " ", "NA", "n/a", "NaN", "null", "Unknown", "-", "?"])
def test_an_unknown_cell_is_left_out(cell: str) -> None:
    (row,) = read(f"image,category,colour\n1.jpg,{cell},red\n").rows
    assert row.fields.attributes == {"colour": "red"}


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2024-05-31", date(2024, 5, 31)),
        ("2024/5/3", date(2024, 5, 3)),
        ("2024.05.03", date(2024, 5, 3)),
        ("2024-05-31T10:00:00Z", date(2024, 5, 31)),
        ("2024-05-31 10:00", date(2024, 5, 31)),
        ("2024-05", date(2024, 5, 1)),
        ("2024", date(2024, 7, 1)),
        ("31.05.2024", None),
        ("05/31/2024", None),
        ("2024-13-01", None),
        ("2024-02-30", None),
        ("0024-01-01", None),
        ("soon", None),
    ],
)
def test_dates_begin_with_the_year_or_are_unknown(text: str, day: date | None) -> None:
    assert read_date(text) == day


@pytest.mark.parametrize(
    ("year", "month", "season", "day"),
    [
        ("2011", "", "", date(2011, 7, 1)),
        ("2011.0", "", "Fall", date(2011, 9, 1)),
        ("2011", "", "Winter", date(2011, 12, 1)),
        ("2011", "3", "Winter", date(2011, 3, 1)),
        ("2011", "March", "", date(2011, 3, 1)),
        ("2011", "13", "", None),
        ("later", "", "", None),
        ("1e400", "", "", None),
        ("", "5", "Fall", None),
    ],
)
def test_a_year_with_a_month_or_season_gives_a_date(
    year: str, month: str, season: str, day: date | None
) -> None:
    manifest = read(f"image,year,month,season\n1.jpg,{year},{month},{season}\n")
    assert manifest.rows[0].fields.date == day
    assert "year" not in manifest.rows[0].fields.attributes
    assert manifest.rows[0].fields.attributes.get("season") == label_value(season)


@pytest.mark.parametrize("weight", ["-1", "nan", "inf", "heavy"])
def test_a_weight_that_is_none_counts_as_one_with_a_remark(weight: str) -> None:
    (row,) = read(f"image,weight\n1.jpg,{weight}\n").rows
    assert row.fields.weight == 1.0
    assert len(row.remarks) == (weight != "nan")  # which is written for unknown


def test_an_unreadable_date_is_unknown_with_a_remark() -> None:
    (row,) = read("image,date\n1.jpg,31.05.2024\n").rows
    assert row.fields.date is None
    assert "31.05.2024" in row.remarks[0]


def test_texts_and_names_are_no_labels() -> None:
    rows = "\n".join(f"{i}.jpg,dress,item {i},word {'x' * 90},{i}" for i in range(150))
    manifest = read(f"image,category,code,blurb,price\n{rows}\n")
    assert manifest.rows[0].fields.attributes == {"category": "dress"}
    assert [remark.reason.split("'")[1] for remark in manifest.remarks] == ["code", "blurb"]


def test_too_many_label_columns_are_cut_with_a_remark() -> None:
    columns = [f"label {i}" for i in range(40)]
    manifest = read(f"image,{','.join(columns)}\n1.jpg,{','.join('ab' for _ in columns)}\n")
    assert len(manifest.rows[0].fields.attributes) == 32
    assert "40 label columns" in manifest.remarks[0].reason


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_commas_semicolons_and_tabs_divide_cells(mark: str) -> None:
    text = f'image{mark}category\r\n1.jpg{mark}"dress{mark} long"\r\n'
    assert read(text).rows[0].fields.attributes == {
        "category": f"dress{mark} long".replace("\t", "")
    }


def test_a_byte_order_mark_is_no_part_of_the_first_column() -> None:
    assert read(b"\xef\xbb\xbfimage,category\n1.jpg,dress\n").rows[0].image == "1.jpg"


def test_json_lines_are_read_with_values_of_any_kind() -> None:
    manifest = read(
        '{"file": "1.jpg", "class": "Dress", "year": 2024, "lined": true, "tags": ["a"]}\n\n'
        '{"file": "2.jpg", "class": null, "size": 38}\n',
        "manifest.jsonl",
    )
    assert [row.line for row in manifest.rows] == [1, 3]
    assert manifest.rows[0].fields.attributes == {"category": "dress", "lined": "yes"}
    assert manifest.rows[0].fields.date == date(2024, 7, 1)
    assert manifest.rows[1].fields.attributes == {"size": "38"}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("labels.csv", b"category,colour\ndress,red\n", "Its columns are: category, colour"),
        ("labels.csv", b"", "names the picture"),
        ("labels.csv", b"image,category\n", "names the picture"),
        ("labels.csv", b"image,category\n1.jpg,na\xefve\n", "line 2 is not UTF-8"),
        ("labels.csv", "image\n1.jpg\n".encode("utf-16"), "line 1 is not UTF-8"),
        (
            "labels.csv",
            b'image,category\n1.jpg,"dress\n2.jpg,bag\n',
            "line 3 cannot be read as CSV",
        ),
        (
            "labels.csv",
            b"image,colour,Colour\n1.jpg,red,blue\n",
            "more than one column named colour",
        ),
        ("labels.jsonl", b'{"image": "1.jpg"}\n{"image": \n', "line 2 is not JSON"),
        ("labels.jsonl", b'{"image": "1.jpg"}\n["1.jpg"]\n', "line 2 is not a JSON object"),
        ("labels.jsonl", b"[" * 100_000, "line 1 is not JSON"),
    ],
)
def test_a_manifest_that_cannot_be_trusted_is_refused_by_line(
    name: str, content: bytes, said: str
) -> None:
    with pytest.raises(UnreadableSourceError, match=said):
        read(content, name)


def test_rows_that_cannot_be_used_are_rejected_by_line_and_the_rest_goes_on() -> None:
    manifest = read("image,category\n1.jpg,dress\n,bag\n2.jpg,bag,red,blue\n\n3.jpg\n")
    assert [row.image for row in manifest.rows] == ["1.jpg", "3.jpg"]
    assert [(r.name, r.reason) for r in manifest.rejections] == [
        ("labels.csv line 4", "the row has 4 cells; expected 2."),
        ("labels.csv line 3", "the row names no picture."),
    ]


def test_names_and_values_are_compared_in_one_form() -> None:
    assert label_name("  Base-Color ") == label_name("colour") == "colour"
    assert label_name("größe (EU)") == "größe_eu"
    assert label_value("  Navy\u00a0\n Blue\x00") == "navy blue"

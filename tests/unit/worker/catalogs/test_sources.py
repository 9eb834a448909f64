"""Opening sources and joining them with their manifests."""

import gzip
import io
import struct
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.errors import NotFoundError, TooLargeError, UnreadableSourceError
from worker.catalogs.garments import Rejection, Remark, Source, SourceItem
from worker.catalogs.limits import DEFAULT_LIMITS
from worker.catalogs.sources import open_source


def png(shade: int = 9) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (16, 16), shade).save(buffer, "PNG")
    return buffer.getvalue()


def zipped(path: Path, files: dict[str, bytes | str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def labels(source: Source) -> dict[str, dict[str, str]]:
    items = [item for item in source.items() if isinstance(item, SourceItem)]
    return {item.name: dict(item.fields.attributes) for item in items}


def rejections(source: Source) -> dict[str, str]:
    return {r.name: r.reason for r in source.items() if isinstance(r, Rejection)}


def idx(path: Path, array: np.ndarray, *, claim: tuple[int, ...] | None = None) -> None:
    shape = claim or array.shape
    content = struct.pack(f">{1 + len(shape)}I", 0x800 + len(shape), *shape) + array.tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def test_each_folder_is_a_category(tmp_path: Path) -> None:
    files: dict[str, bytes | str] = {
        "shop/Dress/1.png": png(),
        "shop/bag/2.png": png(),
        "shop/women/skirt/3.png": png(),
        "shop/images/4.png": png(),
        "5.png": png(),
        "shop/README.md": "about",
    }
    source = open_source(zipped(tmp_path / "a.zip", files))
    assert labels(source) == {
        "shop/Dress/1.png": {"category": "dress"},
        "shop/bag/2.png": {"category": "bag"},
        "shop/women/skirt/3.png": {"category": "skirt"},
        "shop/images/4.png": {},
        "5.png": {},
    }
    assert source.expected == 5


def test_a_manifest_rules_and_files_and_rows_without_each_other_are_named(tmp_path: Path) -> None:
    files: dict[str, bytes | str] = {
        "shop/labels.csv": "image,category\nimages/1.png,dress\nimages/9.png,bag\n"
        "shop/images/2.png,skirt\nimages/1.png,coat\n",
        "shop/images/1.png": png(1),
        "shop/images/2.png": png(2),
        "shop/images/3.png": png(3),
        "shop/LICENSE": "free",
        "shop/old/labels.csv": "image\n",
    }
    source = open_source(zipped(tmp_path / "a.zip", files))
    assert labels(source) == {
        "shop/images/1.png": {"category": "dress"},
        "shop/images/2.png": {"category": "skirt"},
    }
    assert rejections(source) == {
        "images/9.png": "labels.csv line 3: there is no such file.".replace(
            "labels", "shop/labels"
        ),
        "images/1.png": "shop/labels.csv line 5: line 2 names this picture already.",
        "shop/images/3.png": "no row of shop/labels.csv names it.",
        "shop/old/labels.csv": "no row of shop/labels.csv names it.",
    }
    assert source.expected == 6


def test_a_bare_name_finds_the_only_file_that_fits(tmp_path: Path) -> None:
    files: dict[str, bytes | str] = {
        "labels.csv": "image,category\n1563,dress\n2.png,bag\ntwin.png,coat\nelsewhere/4.png,hat\n",
        "images/1563.jpg": png(1),
        "images/2.png": png(2),
        "a/twin.png": png(3),
        "b/twin.png": png(4),
        "images/4.png": png(5),
    }
    source = open_source(zipped(tmp_path / "a.zip", files))
    assert set(labels(source)) == {"images/1563.jpg", "images/2.png"}
    assert rejections(source)["twin.png"] == "labels.csv line 4: 2 files fit."
    assert rejections(source)["elsewhere/4.png"] == "labels.csv line 5: there is no such file."


def test_a_row_cannot_lead_out_of_the_source(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(png())
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "1.png").write_bytes(png())
    (shop / "labels.csv").write_text(f"image\n1.png\n../secret.png\n{tmp_path}/secret.png\n")
    source = open_source(shop)
    assert set(labels(source)) == {"1.png"}
    assert len(rejections(source)) == 2


def test_remarks_name_the_picture_and_the_line(tmp_path: Path) -> None:
    files: dict[str, bytes | str] = {"labels.csv": "image,date\n1.png,soon\n", "1.png": png()}
    source = open_source(zipped(tmp_path / "a.zip", files))
    (remark,) = [item for item in source.items() if isinstance(item, Remark)]
    assert remark.name == "1.png"
    assert remark.reason.startswith("labels.csv line 2: the date 'soon'")


@pytest.mark.parametrize("name", ["labels.csv", "labels.jsonl", "manifest.csv", "manifest.jsonl"])
def test_the_four_manifest_names_are_known(tmp_path: Path, name: str) -> None:
    row = (
        '{"image": "1.png", "category": "hat"}'
        if name.endswith("l")
        else "image,category\n1.png,hat"
    )
    source = open_source(zipped(tmp_path / "a.zip", {name: row, "1.png": png()}))
    assert labels(source) == {"1.png": {"category": "hat"}}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no kind"),
        (b"hello", "no kind"),
        (b"%PDF-1.7", "no kind"),
        (b"PK\x03\x04", "whole zip"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "a.bin").write_bytes(content)
    with pytest.raises(UnreadableSourceError, match=said):
        open_source(tmp_path / "a.bin")


def test_an_empty_folder_an_empty_zip_and_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableSourceError, match="no pictures"):
        open_source(zipped(tmp_path / "a.zip", {}))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnreadableSourceError, match="no pictures"):
        open_source(tmp_path / "empty")
    with pytest.raises(NotFoundError):
        open_source(tmp_path / "nothing")


def test_one_picture_is_a_source(tmp_path: Path) -> None:
    (tmp_path / "dress.png").write_bytes(png())
    assert list(labels(open_source(tmp_path / "dress.png"))) == ["dress.png"]
    with pytest.raises(TooLargeError):
        open_source(tmp_path / "dress.png", limits=replace(DEFAULT_LIMITS, max_file_bytes=9))


PIXELS = np.arange(5 * 28 * 28, dtype=np.uint16).astype(np.uint8).reshape(5, 28, 28)
CLASSES = np.array([9, 0, 0, 3, 9], dtype=np.uint8)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_files_give_pictures_and_class_numbers(tmp_path: Path, suffix: str) -> None:
    idx(tmp_path / f"train-images-idx3-ubyte{suffix}", PIXELS)
    idx(tmp_path / f"train-labels-idx1-ubyte{suffix}", CLASSES)
    for path in (tmp_path, tmp_path / f"train-images-idx3-ubyte{suffix}"):
        source = open_source(path)
        assert source.expected == 5
        items = [item for item in source.items() if isinstance(item, SourceItem)]
        np.testing.assert_array_equal(np.stack([np.asarray(i.content) for i in items]), PIXELS)
        assert list(labels(source).values()) == [{"category": str(c)} for c in CLASSES]


def test_fashion_mnist_gets_its_class_names_and_only_the_training_set(tmp_path: Path) -> None:
    folder = tmp_path / "fashion-mnist"
    folder.mkdir()
    for name in ("t10k", "train"):
        idx(folder / f"{name}-images-idx3-ubyte.gz", PIXELS)
        idx(folder / f"{name}-labels-idx1-ubyte.gz", CLASSES)
    source = open_source(folder)
    assert labels(source)["train-00000"] == {"category": "ankle boot"}
    assert labels(source)["train-00003"] == {"category": "dress"}
    (remark,) = [item for item in source.items() if isinstance(item, Remark)]
    assert remark.name == "t10k-images-idx3-ubyte.gz"
    assert "t10k-00000" in labels(open_source(folder / "t10k-images-idx3-ubyte.gz"))


def test_idx_images_without_labels_have_no_category(tmp_path: Path) -> None:
    idx(tmp_path / "train-images-idx3-ubyte", PIXELS)
    assert labels(open_source(tmp_path))["train-00000"] == {}


def test_idx_files_that_are_cut_or_do_not_fit_are_refused(tmp_path: Path) -> None:
    images = tmp_path / "train-images-idx3-ubyte"
    idx(images, PIXELS, claim=(6, 28, 28))
    with pytest.raises(UnreadableSourceError, match="cut short by 784 bytes"):
        open_source(tmp_path)
    idx(images, PIXELS, claim=(4, 28, 28))
    with pytest.raises(UnreadableSourceError, match="longer than it says"):
        open_source(tmp_path)
    idx(images, PIXELS)
    idx(tmp_path / "train-labels-idx1-ubyte", CLASSES[:4])
    with pytest.raises(UnreadableSourceError, match="4 labels"):
        open_source(tmp_path)
    idx(tmp_path / "train-labels-idx1-ubyte", PIXELS)
    with pytest.raises(UnreadableSourceError, match="no IDX file of this kind"):
        open_source(tmp_path)
    images.write_bytes(b"\x00\x00")
    with pytest.raises(UnreadableSourceError, match="no IDX file"):
        open_source(tmp_path)


def test_an_idx_header_that_claims_too_much_is_refused_before_it_is_read(tmp_path: Path) -> None:
    images = tmp_path / "train-images-idx3-ubyte.gz"
    for claim in ((4_000_000_000, 28, 28), (5, 60_000, 60_000)):
        idx(images, PIXELS, claim=claim)
        with pytest.raises(TooLargeError, match="says that it holds"):
            open_source(tmp_path)


def test_a_damaged_gz_of_idx_is_refused(tmp_path: Path) -> None:
    images = tmp_path / "train-images-idx3-ubyte.gz"
    idx(images, PIXELS)
    whole = images.read_bytes()
    images.write_bytes(whole[:-8])
    with pytest.raises(UnreadableSourceError, match="damaged"):
        open_source(tmp_path)

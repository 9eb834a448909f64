"""Ingest from end to end: sources in, batches out."""

import io
import zipfile
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.demo import drawn, shapes
from worker.catalogs import ingest as ingest_module
from worker.catalogs.garments import (
    GarmentBatch,
    GarmentFields,
    IngestProgress,
    KnownGarments,
    Master,
)
from worker.catalogs.ingest import ingest
from worker.catalogs.shards import open_shard, write_shard
from worker.catalogs.sources import OnePicture, open_source

DATA = Path(__file__).parents[5] / "shared" / "data"


def picture(seed: int, *, mode: str = "RGB", side: int = 40, kind: str = "PNG") -> bytes:
    """A garment-like picture of its own: a coloured shape on white."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (side, side), "white")
    top, left, height, width = rng.integers(side // 8, side // 2, 4).tolist()
    shade = tuple(int(value) for value in rng.integers(0, 200, 3))
    image.paste(shade, (left, top, left + width, top + height))
    buffer = io.BytesIO()
    image.convert(mode).save(buffer, kind)
    return buffer.getvalue()


def garment(seed: int) -> Image.Image:
    kinds = list(shapes.SILHOUETTES)
    rng = np.random.default_rng(seed)
    return shapes.draw(kinds[seed % 8], "plain", "green", rng).resize((64, 64))


def encoded(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def no_batch(_: GarmentBatch) -> None:
    raise AssertionError("nothing was to be added")


def zipped(path: Path, files: dict[str, bytes | str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_a_mixed_catalog_is_taken_in_and_what_cannot_be_is_named(tmp_path: Path) -> None:
    files: dict[str, bytes | str] = {
        "dress/rgb.png": picture(1),
        "dress/rgba.png": picture(2, mode="RGBA"),
        "dress/cmyk.jpg": picture(3, mode="CMYK", kind="JPEG"),
        "dress/palette.gif": picture(4, mode="P", kind="GIF"),
        "bag/grey.png": picture(5, mode="L", side=90),
        "bag/one bit.png": picture(6, mode="1"),
        "bag/same.png": picture(1),
        "bag/cut.jpg": picture(7, kind="JPEG", side=200)[:-400],
        "bag/notes.txt": "not a picture",
        "bag/more.zip": b"PK",
    }
    batches: list[GarmentBatch] = []
    outcome = ingest(open_source(zipped(tmp_path / "a.zip", files)), sink=batches.append)
    assert (outcome.added, outcome.merged, outcome.rejected) == (6, 1, 3)
    assert outcome.master == Master(40, 3)
    assert {r.name: r.reason.split("(")[0].strip(" .") for r in outcome.rejections} == {
        "bag/more.zip": "it is an archive within the source; those are not opened",
        "bag/cut.jpg": "it is cut short or damaged",
        "bag/notes.txt": "it is no picture that can be read; expected "
        "PNG, JPEG, WEBP, GIF, BMP, TIFF, AVIF",
    }
    (batch,) = batches
    assert batch.pixels.shape == (6, 40, 40, 3)
    assert batch.pixels.dtype == np.uint8
    assert [garment.name for garment in batch.garments] == list(files)[:6]
    assert outcome.vocabulary["category"] == {"dress": 4, "bag": 2}
    assert sum(outcome.vocabulary["colour"].values()) == 6


def test_colours_are_measured_unless_they_are_given(tmp_path: Path) -> None:
    files: dict[str, bytes | str] = {
        "labels.csv": "image,colour,date,weight,segment\n1.png,Mint,2024-05,3,women\n2.png,,,,\n",
        "1.png": picture(1),
        "2.png": picture(2),
    }
    batches: list[GarmentBatch] = []
    outcome = ingest(open_source(zipped(tmp_path / "a.zip", files)), sink=batches.append)
    given, measured = batches[0].garments
    assert (given.attributes["colour"], given.colour_given) == ("mint", True)
    assert given.colour_family is not None
    assert (measured.attributes["colour"], measured.colour_given) == (measured.colour_family, False)
    assert given.date == date(2024, 5, 1)
    assert (given.weight, given.segment) == (3.0, "women")
    assert (measured.date, measured.weight, measured.segment) == (None, 1.0, None)
    assert sum(colour.weight for colour in measured.palette) == pytest.approx(1, abs=1e-3)
    assert outcome.dated == 1


def test_a_catalog_of_grey_pictures_is_grey_and_has_no_colours(tmp_path: Path) -> None:
    files = {f"{i}.png": picture(i, mode="L") for i in range(4)}
    batches: list[GarmentBatch] = []
    outcome = ingest(open_source(zipped(tmp_path / "a.zip", {**files})), sink=batches.append)
    assert outcome.master == Master(40, 1)
    assert batches[0].garments[0].palette == ()
    assert "colour" not in outcome.vocabulary


def test_a_later_ingest_keeps_the_catalogs_size_and_channels(tmp_path: Path) -> None:
    batches: list[GarmentBatch] = []
    master = Master(64, 1)
    source = open_source(zipped(tmp_path / "a.zip", {"1.png": picture(1), "2.png": picture(2)}))
    outcome = ingest(source, sink=batches.append, master=master)
    assert outcome.master == master
    assert batches[0].pixels.shape == (2, 64, 64, 1)
    (remark,) = outcome.remarks
    assert "turned grey" in remark.reason


def test_what_the_catalog_holds_is_merged_and_what_looks_like_it_is_flagged(tmp_path: Path) -> None:
    first: list[GarmentBatch] = []
    pictures = {f"{i}.png": encoded(garment(i), "PNG") for i in range(9)}
    path = zipped(tmp_path / "a.zip", {**pictures})
    ingest(open_source(path), sink=first.append)
    held = first[0]
    known = KnownGarments(
        tuple(f"gar_{i}" for i in range(9)),
        tuple(garment.sha256 for garment in held.garments),
        tuple(garment.phash for garment in held.garments),
        lambda row: held.pixels[row],
    )
    files: dict[str, bytes | str] = {
        "same.png": encoded(garment(2), "PNG"),
        "like.jpg": encoded(garment(3), "JPEG"),
        "new.png": picture(77),
    }
    second: list[GarmentBatch] = []
    outcome = ingest(
        open_source(zipped(tmp_path / "b.zip", files)),
        sink=second.append,
        known=known,
        master=Master(64, 3),
    )
    assert (outcome.added, outcome.merged, outcome.flagged) == (2, 1, 1)
    assert [garment.near_duplicate_of for garment in second[0].garments] == ["gar_3", None]
    repeated = ingest(open_source(path), sink=no_batch, known=known, master=Master(64, 3))
    assert (repeated.added, repeated.merged) == (0, 9)


def test_one_garment_is_added_with_its_fields() -> None:
    batches: list[GarmentBatch] = []
    fields = GarmentFields({"category": "coat"}, date(2025, 1, 2), 4.0, "men")
    outcome = ingest(OnePicture("coat.png", picture(1), fields), sink=batches.append)
    (garment,) = batches[0].garments
    assert (outcome.added, garment.name, garment.date) == (1, "coat.png", date(2025, 1, 2))
    assert garment.attributes["category"] == "coat"


def test_batches_hold_a_shards_worth_and_the_rest_comes_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_module, "shard_length", lambda _size, _channels: 8)
    files = {f"{i:02}.png": picture(i) for i in range(20)}
    batches: list[GarmentBatch] = []
    ingest(open_source(zipped(tmp_path / "a.zip", {**files})), sink=batches.append)
    assert [len(batch.pixels) for batch in batches] == [8, 8, 4]
    assert [garment.name for batch in batches for garment in batch.garments] == list(files)
    for index, batch in enumerate(batches):
        write_shard(tmp_path / f"{index}.npy", batch.pixels)
        np.testing.assert_array_equal(open_shard(tmp_path / f"{index}.npy"), batch.pixels)


def test_it_tells_how_far_it_is_and_stops_when_asked(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {f"{i:03}.png": picture(i) for i in range(200)})
    told: list[IngestProgress] = []
    outcome = ingest(open_source(path), sink=lambda _: None, on_progress=told.append)
    assert [each.seen for each in told] == [64, 128, 192, 200]
    assert told[-1].expected == 200
    assert (outcome.added, outcome.stopped) == (200, False)
    batches: list[GarmentBatch] = []
    stopped = ingest(
        open_source(path),
        sink=batches.append,
        should_stop=lambda: len(told) > 5,
        on_progress=told.append,
    )
    assert (stopped.stopped, stopped.added, batches) == (True, 0, [])
    assert told[-1].seen == 128


def test_a_sink_that_fails_ends_the_ingest_with_its_error(tmp_path: Path) -> None:
    def full(_: GarmentBatch) -> None:
        raise OSError("no space left")

    path = zipped(tmp_path / "a.zip", {"1.png": picture(1)})
    with pytest.raises(OSError, match="no space left"):
        ingest(open_source(path), sink=full)


def test_a_source_in_which_nothing_can_be_read_has_an_outcome_and_no_batch(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"1.png": b"no", "2.png": b"neither"})
    outcome = ingest(open_source(path), sink=no_batch)
    assert (outcome.added, outcome.rejected, outcome.master) == (0, 2, None)


def test_the_same_source_gives_the_same_garments_every_time(tmp_path: Path) -> None:
    drawn.write_archive(tmp_path / "drawn.zip", count=60, end=date(2026, 1, 1))
    runs: list[list[GarmentBatch]] = [[], []]
    for run in runs:
        ingest(open_source(tmp_path / "drawn.zip"), sink=run.append)
    assert runs[0][0].garments == runs[1][0].garments
    np.testing.assert_array_equal(runs[0][0].pixels, runs[1][0].pixels)


def test_the_drawn_catalog_comes_in_whole_with_its_labels_and_dates(tmp_path: Path) -> None:
    drawn.write_archive(tmp_path / "drawn.zip", count=200, end=date(2026, 1, 1))
    outcome = ingest(open_source(tmp_path / "drawn.zip"), sink=lambda _: None)
    assert (outcome.added, outcome.rejected, outcome.dated) == (200, 0, 200)
    assert outcome.flagged < 20
    assert set(outcome.vocabulary) == {"category", "colour", "pattern"}
    assert outcome.master == Master(32, 3)


@pytest.mark.slow
def test_real_catalogs_come_in_whole() -> None:
    if not DATA.is_dir():
        pytest.skip(f"the real catalogs are not at {DATA}")
    for name, count, master in (
        ("fashion-mnist", 60_000, Master(28, 1)),
        ("product-shots", 2615, Master(160, 3)),
        ("clothing", 3068, Master(192, 3)),
    ):
        outcome = ingest(open_source(DATA / name), sink=lambda _: None)
        assert outcome.added + outcome.merged == count
        assert (outcome.rejected, outcome.master) == (0, master)
        assert outcome.flagged < count / 100

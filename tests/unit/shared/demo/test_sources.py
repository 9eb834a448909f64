"""Which catalog the demonstration uses."""

import gzip
import sys
import time
import zipfile
from datetime import date
from functools import lru_cache
from pathlib import Path

import pytest
from PIL import Image

from shared.demo import drawn, sources
from shared.demo.sources import DemoCatalog, DemoKind, DownloadFailedError
from shared.errors import NotFoundError, UnreadableSourceError

END = date(2026, 11, 23)


@lru_cache
def packed(size: int) -> bytes:
    return gzip.compress(bytes(size), 1)


def write_whole(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, size in sources.FASHION_MNIST_FILES.items():
        (folder / name).write_bytes(packed(size))


def no_network(_: Path) -> None:
    raise DownloadFailedError("no network")


@pytest.fixture(autouse=True)
def _few_garments(monkeypatch: pytest.MonkeyPatch) -> None:
    full = drawn.write_archive
    monkeypatch.setattr(drawn, "write_archive", lambda path, *, end: full(path, count=3, end=end))


def choose(folder: Path, fetch: sources.Fetch, named: Path | None = None) -> DemoCatalog:
    return sources.choose_catalog(
        named=named, keras_home=folder / "keras", work=folder / "work", end=END, fetch=fetch
    )


def test_a_named_folder_is_used_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine" / "dress").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "mine" / "dress" / "1.PNG", "PNG")
    chosen = choose(tmp_path, no_network, named=tmp_path / "mine")
    assert (chosen.path, chosen.kind) == (tmp_path / "mine", DemoKind.NAMED)
    assert str(tmp_path / "mine") in chosen.words


def test_a_named_path_that_is_not_there_is_an_error_and_nothing_else_is_used(
    tmp_path: Path,
) -> None:
    with pytest.raises(NotFoundError, match="no catalog at"):
        choose(tmp_path, no_network, named=tmp_path / "nothing")


def test_a_named_folder_or_zip_without_pictures_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("none")
    with zipfile.ZipFile(tmp_path / "mine.zip", "w") as archive:
        archive.writestr("notes.txt", "none")
    for named in ("mine", "mine.zip"):
        with pytest.raises(UnreadableSourceError, match="no pictures"):
            choose(tmp_path, no_network, named=tmp_path / named)


def test_keras_cache_is_used_when_it_is_whole(tmp_path: Path) -> None:
    write_whole(tmp_path / "keras" / "datasets" / "fashion-mnist")
    chosen = choose(tmp_path, no_network)
    assert chosen.kind is DemoKind.FASHION_MNIST
    assert chosen.path == tmp_path / "keras" / "datasets" / "fashion-mnist"
    assert "cache" in chosen.words


def test_a_download_lands_in_the_cache_and_is_used(tmp_path: Path) -> None:
    chosen = choose(tmp_path, write_whole)
    assert chosen.kind is DemoKind.FASHION_MNIST
    assert "downloaded" in chosen.words
    assert sources.is_whole(chosen.path)
    assert [path.name for path in chosen.path.parent.iterdir()] == ["fashion-mnist"]


def test_a_cut_cache_and_a_cut_download_are_not_used_and_leave_nothing(tmp_path: Path) -> None:
    cache = tmp_path / "keras" / "datasets" / "fashion-mnist"
    cache.mkdir(parents=True)
    (cache / "train-images-idx3-ubyte.gz").write_bytes(b"\x1f\x8b cut")

    def cut(folder: Path) -> None:
        write_whole(folder)
        path = folder / "train-images-idx3-ubyte.gz"
        path.write_bytes(path.read_bytes()[:-100])

    chosen = choose(tmp_path, cut)
    assert chosen.kind is DemoKind.DRAWN
    assert "incomplete" in chosen.words
    assert [path.name for path in cache.iterdir()] == ["train-images-idx3-ubyte.gz"]
    assert (cache / "train-images-idx3-ubyte.gz").read_bytes() == b"\x1f\x8b cut"
    assert [path.name for path in cache.parent.iterdir()] == ["fashion-mnist"]


def test_without_a_network_a_catalog_is_drawn_once_and_says_why(tmp_path: Path) -> None:
    chosen = choose(tmp_path, no_network)
    assert chosen.kind is DemoKind.DRAWN
    assert "no network" in chosen.words
    with zipfile.ZipFile(chosen.path) as archive:
        assert "labels.csv" in archive.namelist()
    written = chosen.path.stat().st_mtime_ns
    assert choose(tmp_path, no_network).path.stat().st_mtime_ns == written


def test_a_download_that_hangs_is_killed(tmp_path: Path) -> None:
    hang = (sys.executable, "-c", "import time; time.sleep(60)")
    start = time.monotonic()
    with pytest.raises(DownloadFailedError, match="gave up"):
        sources.fetch_within(0.3, command=hang)(tmp_path)
    assert time.monotonic() - start < 10


def test_a_download_that_fails_says_why(tmp_path: Path) -> None:
    fail = (sys.executable, "-c", "raise SystemExit('the wire is cut')")
    with pytest.raises(DownloadFailedError, match="the wire is cut"):
        sources.fetch_within(30, command=fail)(tmp_path)


def test_a_cache_that_cannot_be_written_is_no_crash(tmp_path: Path) -> None:
    (tmp_path / "keras").write_text("a file where the folder should be")
    assert choose(tmp_path, write_whole).kind is DemoKind.DRAWN

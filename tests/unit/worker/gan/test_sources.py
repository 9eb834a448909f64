import gzip
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.errors import UnreadableSourceError
from worker.gan import sources


def write_idx(path: Path, array: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    path.write_bytes(gzip.compress(header + array.tobytes()))


def test_idx_files_with_ten_classes_get_their_published_names(tmp_path: Path) -> None:
    write_idx(tmp_path / "train-images-idx3-ubyte.gz", np.full((40, 28, 28), 9, np.uint8))
    write_idx(tmp_path / "train-labels-idx1-ubyte.gz", (np.arange(40) % 10).astype(np.uint8))
    found = sources.read(tmp_path)
    assert (found.n, found.size, found.channels) == (40, 28, 1)
    assert found.vocabulary["category"] == sources.FASHION_MNIST
    assert found.labels["category"].tolist() == [n % 10 for n in range(40)]


def test_a_cut_idx_file_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "train-images-idx3-ubyte.gz"
    write_idx(path, np.zeros((40, 28, 28), np.uint8))
    path.write_bytes(path.read_bytes()[:30])
    with pytest.raises(UnreadableSourceError, match="not a whole IDX file"):
        sources.read(tmp_path)


def test_folders_of_pictures_become_categories(tmp_path: Path) -> None:
    for category, shade in (("coats", 10), ("dresses", 200)):
        (tmp_path / category).mkdir()
        for number in range(20):
            picture = Image.new("RGB", (60, 90), (shade, shade, shade))
            picture.save(tmp_path / category / f"{number}.png")
    found = sources.read(tmp_path, size=24)
    assert found.images.shape == (40, 24, 24, 3)
    assert found.counts() == {"category": {"coats": 20, "dresses": 20}}
    assert found.images[0, 12, 12, 0] == 10
    assert found.images[0, 12, 0, 0] == 255


def test_an_npz_brings_its_labels_and_an_empty_one_is_unknown(tmp_path: Path) -> None:
    path = tmp_path / "catalog.npz"
    images = np.zeros((40, 16, 16, 3), np.uint8)
    np.savez(path, images=images, colour=np.array(["red", ""] * 20))
    found = sources.read(path)
    assert found.labels["colour"].tolist() == [0, -1] * 20


def test_only_the_named_attributes_are_learned(tmp_path: Path) -> None:
    path = tmp_path / "catalog.npz"
    images = np.zeros((40, 16, 16), np.uint8)
    np.savez(path, images=images, colour=np.array(["red"] * 40), kind=np.array(["a"] * 40))
    assert list(sources.read(path, attributes=["kind"]).vocabulary) == ["kind"]
    with pytest.raises(UnreadableSourceError, match="no labels for \\['size'\\]"):
        sources.read(path, attributes=["size"])


def test_images_are_resized_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "catalog.npz"
    np.savez(path, images=np.full((40, 16, 16), 77, np.uint8))
    found = sources.read(path, size=20)
    assert found.images.shape == (40, 20, 20, 1)
    assert np.all(found.images == 77)


def test_other_labels_or_pixels_give_another_fingerprint() -> None:
    images = np.zeros((40, 16, 16, 1), np.uint8)
    first = sources.build(images, {"colour": ["red", "blue"] * 20}).fingerprint
    assert sources.build(images, {"colour": ["red", "blue"] * 20}).fingerprint == first
    assert sources.build(images + 1, {"colour": ["red", "blue"] * 20}).fingerprint != first
    assert sources.build(images, {"colour": ["blue", "red"] * 20}).fingerprint != first


@pytest.mark.parametrize("kind", ["empty folder", "text file", "broken npz"])
def test_a_source_that_is_none_of_these_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path
    if kind != "empty folder":
        path = tmp_path / ("a.txt" if kind == "text file" else "a.npz")
        path.write_text("nothing")
    with pytest.raises(UnreadableSourceError):
        sources.read(path)

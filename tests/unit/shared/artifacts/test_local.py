from pathlib import Path

import pytest

from shared.artifacts.local import LocalArtifacts
from shared.errors import InvalidInputError, StoreUnavailableError


class Torn:
    """A source that breaks half-way."""

    def __init__(self) -> None:
        self.reads = 0

    def read(self, _size: int = -1) -> bytes:
        self.reads += 1
        if self.reads > 1:
            raise OSError("the cable came out")
        return b"half"


def test_a_write_that_breaks_leaves_nothing(tmp_path: Path) -> None:
    store = LocalArtifacts(tmp_path)
    with pytest.raises(OSError, match="cable"):
        store.put("a/b", Torn())  # type: ignore[arg-type]  # only what put uses
    assert not store.exists("a/b")
    assert list(store.keys("a/")) == []
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_key_that_climbs_out_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="leads out"):
        LocalArtifacts(tmp_path / "store").put("../secret", b"x")
    assert not (tmp_path / "secret").exists()


def test_a_folder_that_takes_nothing_is_a_store_that_is_away(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file where a folder should be")
    with pytest.raises(StoreUnavailableError, match="took no file"):
        LocalArtifacts(tmp_path).put("a/b", b"x")
    assert [path.name for path in tmp_path.rglob("*")] == ["a"]

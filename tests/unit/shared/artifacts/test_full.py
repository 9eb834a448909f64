"""A folder without room, whatever the size of what it is to take."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shared.artifacts.local import LocalArtifacts
from shared.errors import DiskFullError


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size, as a full disk would not."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [200, 2**20], ids=["in one buffer", "in many"])
def test_a_file_that_finds_no_room_is_told_as_the_stores_trouble_and_leaves_nothing(
    tmp_path: Path, size: int
) -> None:
    store = LocalArtifacts(tmp_path / "artifacts")
    with room_for(100), pytest.raises(DiskFullError) as caught:
        store.put("designs/one", bytes(size))
    assert caught.value.retryable
    assert list((tmp_path / "artifacts").rglob("*.*")) == []
    assert store.put("designs/one", bytes(size)).size == size

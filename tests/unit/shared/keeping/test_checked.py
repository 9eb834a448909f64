import hashlib
from io import BytesIO
from pathlib import Path

import pytest

from shared.artifacts import ArtifactStore, keys
from shared.errors import ArtifactDamagedError, DiskFullError
from shared.keeping.checked import CheckedStore
from shared.keeping.room import Room
from shared.records import Records, artifacts
from shared.settings import Settings
from tests.fixtures.postgres import ON_BOTH

KEY = keys.report_file("rep_1", "report.html")


@ON_BOTH
def test_what_is_put_is_written_down_and_read_back(records: Records, store: CheckedStore) -> None:
    store.put(KEY, b"rising: green")
    assert store.read(KEY) == b"rising: green"
    with records.reading() as tx:
        kept = artifacts.find(tx, KEY)
    assert kept is not None
    assert (kept.size, kept.sha256) == (13, hashlib.sha256(b"rising: green").hexdigest())


def test_a_damaged_artifact_is_told_of_and_never_read(
    store: CheckedStore, inner: ArtifactStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store.put(KEY, b"rising: green")
    inner.put(KEY, b"rising: brown")
    with pytest.raises(ArtifactDamagedError, match="toile verify") as caught:
        store.read(KEY)
    assert caught.value.details["key"] == KEY
    with pytest.raises(ArtifactDamagedError):
        store.fetch(KEY, tmp_path / "cache")
    with pytest.raises(ArtifactDamagedError):
        store.read_range(KEY, 0, 6)
    assert f"Artifact {KEY} is damaged" in caplog.text


def test_an_artifact_that_changes_after_it_was_looked_through_is_looked_through_again(
    store: CheckedStore, inner: ArtifactStore
) -> None:
    store.put(KEY, b"rising: green")
    assert store.read_range(KEY, 8, 5) == b"green"
    inner.put(KEY, b"rising: brown and black")
    with pytest.raises(ArtifactDamagedError):
        store.read_range(KEY, 8, 5)


def test_what_is_put_again_or_deleted_is_written_down_anew(
    records: Records, store: CheckedStore
) -> None:
    store.put(KEY, b"one")
    store.put(KEY, BytesIO(b"two"))
    assert store.read(KEY) == b"two"
    store.delete(KEY)
    with records.reading() as tx:
        assert artifacts.find(tx, KEY) is None
    with pytest.raises(FileNotFoundError):
        store.read(KEY)


def test_designs_and_checkpoints_cost_no_transaction(records: Records, store: CheckedStore) -> None:
    for key in (keys.designs("pack_1"), keys.preview("job_1", 1), keys.probe()):
        store.put(key, b"bytes")
        assert store.read(key) == b"bytes"
        assert store.read_range(key, 1, 2) == b"yt"
    with records.reading() as tx:
        assert artifacts.after(tx, "") == []


def test_what_was_stored_before_hashes_were_written_down_is_still_read(
    store: CheckedStore, inner: ArtifactStore
) -> None:
    inner.put(KEY, b"old")
    assert store.read(KEY) == b"old"


def test_too_little_room_refuses_an_artifact_before_a_byte_is_written(
    settings: Settings, records: Records, inner: ArtifactStore, tmp_path: Path
) -> None:
    full = Room({"artifacts": settings.home}, floor=2**62)
    store = CheckedStore(inner, records, cache=tmp_path, room=full)
    with pytest.raises(DiskFullError, match="TOILE_DISK_FLOOR"):
        store.put(KEY, b"rising: green")
    assert not inner.exists(KEY)
    CheckedStore(inner, records, cache=tmp_path, room=Room({}, floor=2**62)).put(KEY, b"elsewhere")


def test_a_site_is_told_how_many_bytes_are_its(records: Records, store: CheckedStore) -> None:
    from tests.fixtures.rows import a_site

    mine, other = a_site(records, "mine"), a_site(records, "other")
    store.put(keys.taste_prior(mine, "e" * 64, "prior_1"), b"12345")
    with records.reading() as tx:
        assert artifacts.bytes_of(tx, mine) == 5
        assert artifacts.bytes_of(tx, other) == 0

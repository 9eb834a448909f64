"""What every artifact store promises, over a folder and over a real S3 server."""

import hashlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer

from shared.artifacts import ArtifactStore, keys, open_store
from shared.errors import ArtifactDamagedError, StoreUnavailableError
from shared.keeping.backup import back_up
from shared.keeping.checked import CheckedStore
from shared.keeping.orphans import Orphans
from shared.keeping.verifying import Fault, Verifier
from shared.records import Records
from shared.settings import Settings
from tests.fixtures.shop import fill_shop


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    if request.param == "folder":
        return open_store(Settings(home=tmp_path / "var"))
    return open_store(s3_settings(request.getfixturevalue("s3_endpoint"), tmp_path))


def s3_settings(endpoint: str, home: Path) -> Settings:
    import boto3

    name = f"b{hashlib.sha256(str(home).encode()).hexdigest()[:20]}"
    secrets = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **secrets)
    client.create_bucket(Bucket=name)
    client.close()
    return Settings.model_validate(
        {
            "home": home,
            "artifacts_url": f"s3://{name}/toile",
            "s3_endpoint": endpoint,
            "s3_access_key": "key",
            "s3_secret_key": "secret",
        }
    )


def test_what_is_put_is_read_back_with_its_hash(store: ArtifactStore) -> None:
    artifact = store.put("designs/a/1.png", b"pixels")
    assert (artifact.key, artifact.size) == ("designs/a/1.png", 6)
    assert artifact.sha256 == hashlib.sha256(b"pixels").hexdigest()
    assert store.read("designs/a/1.png") == b"pixels"
    assert store.exists("designs/a/1.png")


def test_files_and_streams_are_put_like_bytes(store: ArtifactStore, tmp_path: Path) -> None:
    data = bytes(range(256)) * 50_000
    path = tmp_path / "large"
    path.write_bytes(data)
    from_path = store.put("one", path)
    from_stream = store.put("two", BytesIO(data))
    assert from_path.sha256 == from_stream.sha256 == hashlib.sha256(data).hexdigest()
    assert from_path.size == from_stream.size == len(data)
    assert store.read("one") == store.read("two") == data


def test_a_second_put_replaces_the_first(store: ArtifactStore) -> None:
    store.put("preview", b"old and long")
    store.put("preview", b"new")
    assert store.read("preview") == b"new"


def test_a_range_is_read_alone(store: ArtifactStore) -> None:
    store.put("shard", b"0123456789")
    assert store.read_range("shard", 3, 4) == b"3456"
    assert store.read_range("shard", 8, 10) == b"89"


def test_a_fetched_file_holds_the_bytes(store: ArtifactStore, tmp_path: Path) -> None:
    store.put("shard.npy", b"pixels")
    path = store.fetch("shard.npy", tmp_path / "cache")
    assert path.read_bytes() == b"pixels"
    assert store.fetch("shard.npy", tmp_path / "cache") == path


def test_what_is_missing_is_a_file_not_found(store: ArtifactStore, tmp_path: Path) -> None:
    assert not store.exists("nowhere")
    with pytest.raises(FileNotFoundError):
        store.read("nowhere")
    with pytest.raises(FileNotFoundError):
        store.read_range("nowhere", 0, 1)
    with pytest.raises(FileNotFoundError):
        store.fetch("nowhere", tmp_path / "cache")


def test_deleting_twice_is_the_same_as_once(store: ArtifactStore) -> None:
    store.put("a", b"1")
    store.delete("a")
    store.delete("a")
    assert not store.exists("a")


def test_keys_are_listed_below_a_prefix_only(store: ArtifactStore) -> None:
    for key in ("jobs/1/a", "jobs/1/b/c", "jobs/10/a"):
        store.put(key, b"x")
    assert sorted(store.keys("jobs/1/")) == ["jobs/1/a", "jobs/1/b/c"]
    assert list(store.keys("jobs/2/")) == []


def test_a_store_that_is_away_says_so_and_how_to_look(tmp_path: Path) -> None:
    settings = Settings.model_validate(
        {
            "home": tmp_path,
            "artifacts_url": "s3://bucket",
            "s3_endpoint": "http://127.0.0.1:1",
            "s3_access_key": "key",
            "s3_secret_key": "hunter2",
        }
    )
    with pytest.raises(StoreUnavailableError, match="toile doctor") as caught:
        open_store(settings).read("a")
    assert "hunter2" not in str(caught.value)


def test_all_is_listed_once_with_size_and_time_from_any_place_on(store: ArtifactStore) -> None:
    there = ["a/1", "a/b/2", "a/b/3", "a-b", "b", "c/1"]
    before = datetime.now(UTC) - timedelta(minutes=1)  # noqa: TID251 - the store's own clock
    for key in there:
        store.put(key, key.encode())
    listed = list(store.entries())
    assert sorted(one.key for one in listed) == sorted(there)
    assert all(one.size == len(one.key) and one.modified > before for one in listed)
    for place, one in enumerate(listed):
        rest = [other.key for other in store.entries(one.key)]
        assert rest == [other.key for other in listed[place + 1 :]]


def test_a_listing_goes_on_behind_a_key_that_was_deleted(store: ArtifactStore) -> None:
    for key in ("a/1", "a/2", "b/1"):
        store.put(key, b"x")
    store.delete("a/2")
    assert [one.key for one in store.entries("a/2")] == ["b/1"]
    assert list(store.entries("b/1")) == []


def test_more_than_a_page_of_s3_is_listed(s3_endpoint: str, tmp_path: Path) -> None:
    settings = s3_settings(s3_endpoint, tmp_path)
    bucket, _, prefix = str(settings.artifacts_url).removeprefix("s3://").partition("/")
    store = open_store(settings)
    store.put("many/0", b"x")
    # The server is in this process: the others are put into it without a request for each.
    server = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    for number in range(1, 1_001):
        server.put_object(bucket, f"{prefix}/many/{number}", b"x")
    assert len(list(store.entries())) == len(list(store.keys("many/"))) == 1_001


def test_an_empty_store_lists_nothing_and_has_nothing_to_tidy(store: ArtifactStore) -> None:
    assert list(store.entries()) == []
    assert store.tidy(datetime.now(UTC)) == 0  # noqa: TID251 - the store's own clock


def test_an_empty_artifact_is_one(store: ArtifactStore, tmp_path: Path) -> None:
    assert store.put("empty", b"").size == 0
    assert store.put("stream", BytesIO()).sha256 == hashlib.sha256().hexdigest()
    assert store.read("empty") == store.read("stream") == b""
    assert store.fetch("empty", tmp_path / "cache").read_bytes() == b""


class Broken(BytesIO):
    """A source that ends in the middle, as a caller that hangs up does."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() > 2**20:
            raise ConnectionError("the caller hung up")
        return super().read(size)


def test_a_source_that_breaks_leaves_nothing_behind(store: ArtifactStore) -> None:
    store.put("kept", b"whole")
    with pytest.raises((ConnectionError, StoreUnavailableError)):
        store.put("kept", Broken(bytes(3 * 2**20)))
    assert store.read("kept") == b"whole"
    assert [one.key for one in store.entries()] == ["kept"]


def test_readers_see_the_old_bytes_or_the_new_ones(store: ArtifactStore) -> None:
    old, new = b"o" * 300_000, b"n" * 300_000
    store.put("preview", old)
    seen: set[bytes] = set()
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            seen.add(store.read("preview"))

    reader = threading.Thread(target=look)
    reader.start()
    for data in (new, old) * 5:
        store.put("preview", data)
    over.set()
    reader.join()
    assert seen <= {old, new}


def test_a_damaged_artifact_is_told_of_by_either_store(
    store: ArtifactStore, records: Records, tmp_path: Path
) -> None:
    checked = CheckedStore(store, records, cache=tmp_path / "cache")
    checked.put("reports/rep_1/report.html", b"whole")
    assert checked.read_range("reports/rep_1/report.html", 1, 3) == b"hol"
    store.put("reports/rep_1/report.html", b"other")
    with pytest.raises(ArtifactDamagedError):
        checked.read("reports/rep_1/report.html")
    again = CheckedStore(store, records, cache=tmp_path / "another")
    with pytest.raises(ArtifactDamagedError):
        again.fetch("reports/rep_1/report.html", tmp_path / "another")


def test_a_damaged_copy_of_a_whole_artifact_is_fetched_again(
    s3_endpoint: str, records: Records, tmp_path: Path
) -> None:
    store = open_store(s3_settings(s3_endpoint, tmp_path))
    first = CheckedStore(store, records, cache=tmp_path / "cache")
    first.put("catalogs/cat_1/shards/shard_1.npy", b"pixels")
    copy = first.fetch("catalogs/cat_1/shards/shard_1.npy", tmp_path / "cache")
    copy.write_bytes(b"damage")
    later = CheckedStore(store, records, cache=tmp_path / "cache")
    found = later.fetch("catalogs/cat_1/shards/shard_1.npy", tmp_path / "cache")
    assert found.read_bytes() == b"pixels"


def test_orphans_are_swept_and_a_shop_is_backed_up_from_either_store(
    store: ArtifactStore, records: Records, settings: Settings, tmp_path: Path
) -> None:
    shop = fill_shop(records, store, "shop")
    whole = {one.key for one in store.entries()}
    store.put("designs/pack_lost", b"lost")
    hasty = settings.model_copy(update={"orphan_seconds": 1e-9, "lease_seconds": -2.0})
    assert Orphans(records, store, hasty).sweep().removed == 1
    assert {one.key for one in store.entries()} == whole
    made = back_up(records, store, tmp_path / "a.tar")
    assert {one.key for one in made.artifacts} == whole
    page = keys.report_file(shop.report_id, "report.html")
    store.delete(page)
    found = [(one.key, one.fault) for one in Verifier(records, store, quick=True).findings()]
    assert found == [(page, Fault.MISSING)]

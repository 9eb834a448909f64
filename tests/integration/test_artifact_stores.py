"""What every artifact store promises, over a folder and over a real S3 server."""

import hashlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from shared.artifacts import ArtifactStore, open_store
from shared.errors import StoreUnavailableError
from shared.settings import Settings


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
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **keys)
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

"""Artifacts in S3, or in anything that speaks its protocol."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, BinaryIO, Final

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import S3Store

from shared.artifacts.local import LocalArtifacts
from shared.artifacts.store import Artifact, ArtifactStore, Entry
from shared.errors import ConfigurationError, StoreUnavailableError
from shared.settings import Settings

if TYPE_CHECKING:
    from obstore.store import S3Config

_CHUNK: Final = 1 << 20
_SCHEME: Final = "s3://"
_CONNECT: Final = timedelta(seconds=5)
_PATIENCE: Final = timedelta(seconds=20)


class S3Artifacts(ArtifactStore):
    """A bucket, or a prefix in one, named by ``TOILE_ARTIFACTS_URL=s3://bucket/prefix``."""

    def __init__(self, settings: Settings) -> None:
        self._store = _connect(settings)

    def put(self, key: str, source: bytes | Path | BinaryIO) -> Artifact:
        """Upload, in parts where it is large; S3 shows an object only when it is whole."""
        if isinstance(source, Path):
            with source.open("rb") as file:
                return self.put(key, file)
        digest = hashlib.sha256()
        if isinstance(source, bytes):
            digest.update(source)
            with _translated(key):
                obstore.put(self._store, key, source)
            return Artifact(key=key, size=len(source), sha256=digest.hexdigest())
        start = source.tell()
        with _translated(key):
            obstore.put(self._store, key, _hashed(source, digest))
        return Artifact(key=key, size=source.tell() - start, sha256=digest.hexdigest())

    def read(self, key: str) -> bytes:
        """Download all."""
        with _translated(key):
            return bytes(obstore.get(self._store, key).bytes())

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Download a part."""
        with _translated(key):
            size = obstore.head(self._store, key)["size"]
            end = min(start + length, size)
            if end <= start:
                return b""
            return bytes(obstore.get_range(self._store, key, start=start, end=end))

    def fetch(self, key: str, cache: Path) -> Path:
        """Download to the cache, whole or not at all; releases and shards never change."""
        copies = LocalArtifacts(cache / "artifacts")
        if not copies.exists(key):
            with _translated(key), TemporaryFile() as download:
                for chunk in obstore.get(self._store, key).stream(_CHUNK):
                    download.write(chunk)
                download.seek(0)
                copies.put(key, download)
        return copies.fetch(key, cache)

    def exists(self, key: str) -> bool:
        """Ask for the head."""
        try:
            with _translated(key):
                obstore.head(self._store, key)
        except FileNotFoundError:
            return False
        return True

    def delete(self, key: str) -> None:
        """Delete; S3 does not mind where there is nothing."""
        try:
            with _translated(key):
                obstore.delete(self._store, key)
        except FileNotFoundError:
            return

    def keys(self, prefix: str) -> Iterator[str]:
        """List below the prefix."""
        with _translated(prefix):
            for part in obstore.list(self._store, prefix.rstrip("/")):
                for entry in part:
                    yield entry["path"]

    def entries(self, after: str = "") -> Iterator[Entry]:
        """List all, in the order of the keys' bytes, a page of a thousand at a time."""
        with _translated(after):
            for part in obstore.list(self._store, offset=after or None):
                for entry in part:
                    yield Entry(
                        key=entry["path"], size=entry["size"], modified=entry["last_modified"]
                    )

    def tidy(self, before: datetime) -> int:  # noqa: ARG002 - the port's signature
        """Do nothing: parts of an upload that died are no objects, and never listed.

        The bucket's lifecycle rule for incomplete uploads removes them (docs/operating.md).
        """
        return 0


def _connect(settings: Settings) -> S3Store:
    bucket, _, prefix = str(settings.artifacts_url).removeprefix(_SCHEME).partition("/")
    if not bucket:
        raise ConfigurationError(
            "TOILE_ARTIFACTS_URL names no bucket. Write s3://bucket or s3://bucket/prefix."
        )
    endpoint = settings.s3_endpoint
    config: S3Config = {
        "region": settings.s3_region,
        "virtual_hosted_style_request": endpoint is None,
    }
    if endpoint is not None:
        config["endpoint"] = endpoint
    if settings.s3_access_key is not None and settings.s3_secret_key is not None:
        config["access_key_id"] = settings.s3_access_key.get_secret_value()
        config["secret_access_key"] = settings.s3_secret_key.get_secret_value()
    return S3Store(
        bucket,
        prefix=prefix or None,
        config=config,
        client_options={
            "allow_http": bool(endpoint and endpoint.startswith("http://")),
            "connect_timeout": _CONNECT,
        },
        # The default goes on for three minutes, in which a request would seem to hang.
        retry_config={"max_retries": 3, "retry_timeout": _PATIENCE},
    )


@contextmanager
def _translated(key: str) -> Iterator[None]:
    try:
        yield
    except NotFoundError as error:
        raise FileNotFoundError(key) from error
    except FileNotFoundError as error:
        raise FileNotFoundError(key) from error
    except (BaseError, OSError) as error:
        raise StoreUnavailableError(
            f"The artifact store did not do what was asked for {key!r}: {error}. Check "
            "TOILE_ARTIFACTS_URL and the TOILE_S3_ settings with `toile doctor`.",
            key=key,
        ) from error


def _hashed(source: BinaryIO, digest: "hashlib._Hash") -> Iterator[bytes]:
    while chunk := source.read(_CHUNK):
        digest.update(chunk)
        yield chunk

"""The port that every artifact store fills, and the choice between them."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from shared.schemas.base import Schema
from shared.settings import Settings


class Artifact(Schema):
    """What was stored: its key, size in bytes, and the SHA-256 of its bytes in hex."""

    key: str
    size: int
    sha256: str


class Entry(Schema):
    """What a store lists: a key, its size in bytes, and when it was last written, UTC."""

    key: str
    size: int
    modified: datetime


class ArtifactStore(Protocol):
    """Bytes addressed by key. Keys are made in `shared.artifacts.keys` only.

    Every verb raises `StoreUnavailableError` when the store does not answer; a missing artifact is
    Python's own `FileNotFoundError`.
    """

    def put(self, key: str, source: bytes | Path | BinaryIO) -> Artifact:
        """Store bytes whole or not at all; a second call with the same key replaces them."""
        ...

    def read(self, key: str) -> bytes:
        """Return an artifact's bytes."""
        ...

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Return `length` bytes from `start`; fewer at the end."""
        ...

    def fetch(self, key: str, cache: Path) -> Path:
        """Return a local file with the artifact's bytes, to be read or mapped, never written.

        A store that is not local copies the bytes under `cache` first, once.
        """
        ...

    def exists(self, key: str) -> bool:
        """Return whether there is an artifact of this key."""
        ...

    def delete(self, key: str) -> None:
        """Remove an artifact; where there is none, nothing happens."""
        ...

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys below a prefix, in no order."""
        ...

    def entries(self, after: str = "") -> Iterator[Entry]:
        """Yield all that there is in an order of its own, behind a key that it yielded before.

        What was put before this began and is not deleted meanwhile is yielded once.
        """
        ...

    def tidy(self, before: datetime) -> int:
        """Remove what writers that died before then left half-written; returns how many files."""
        ...


def open_store(settings: Settings) -> ArtifactStore:
    """Return the store that the settings name."""
    folder = settings.artifact_folder
    if folder is not None:
        from shared.artifacts.local import LocalArtifacts

        return LocalArtifacts(folder)
    from shared.artifacts.s3 import S3Artifacts

    return S3Artifacts(settings)

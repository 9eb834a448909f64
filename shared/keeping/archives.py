"""What a backup is written to and read from: a folder, or one tar file, as a stream of members."""

import os
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, Final, Protocol, cast

from shared.errors import BackupError

_PART: Final = ".part"


class Source(Protocol):
    """What a member's bytes are read from."""

    def read(self, size: int = -1, /) -> bytes:
        """Return so many bytes, or all; none at the end."""
        ...


class Sink(Protocol):
    """Takes members in their order."""

    def add(self, name: str, source: Source, size: int) -> None:
        """Write a member of so many bytes."""
        ...


class _FolderSink:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, name: str, source: Source, size: int) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)
            file.flush()
            os.fsync(file.fileno())
        if path.stat().st_size != size:
            raise _changed(name)


class _TarSink:
    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar

    def add(self, name: str, source: Source, size: int) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode = size, 0o600
        try:
            self._tar.addfile(member, cast("IO[bytes]", source))  # it only reads
        except tarfile.TarError as error:
            raise _changed(name) from error


@contextmanager
def written(target: Path, *, folder: bool) -> Iterator[Sink]:
    """Yield where a backup goes; it appears under its name only when all of it is there.

    Raises:
        BackupError: there is something of that name already, or no such folder to put it into.
    """
    if target.exists() and not (folder and target.is_dir() and not any(target.iterdir())):
        raise BackupError(f"{target} is there already. Name another place: nothing is overwritten.")
    if not target.parent.is_dir():
        raise BackupError(f"There is no folder {target.parent} to put the backup into.")
    part = target.with_name(f"{target.name}{_PART}-{os.getpid()}")
    try:
        if folder:
            part.mkdir(mode=0o700)
            yield _FolderSink(part)
        else:
            part.touch(mode=0o600, exist_ok=False)
            with tarfile.open(part, "w", format=tarfile.PAX_FORMAT) as tar:
                yield _TarSink(tar)
            with part.open("rb") as file:
                os.fsync(file.fileno())
        if folder and target.is_dir():
            target.rmdir()
        part.replace(target)
    except BaseException:
        if folder:
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)
        raise


def members(source: Path) -> Iterator[tuple[str, IO[bytes], int]]:
    """Yield a backup's members: name, bytes and size; of a tar file in the order of its writing.

    Of a folder the header comes first and the manifest last, as in a tar file.

    Raises:
        BackupError: there is none, or it is no backup.
    """
    if source.is_dir():
        yield from _of_folder(source)
        return
    if not source.is_file():
        raise BackupError(f"There is no backup at {source}.")
    try:
        with tarfile.open(source, "r|") as tar:
            for member in tar:
                file = tar.extractfile(member) if member.isfile() else None
                if file is None:
                    raise BackupError(f"{source} holds {member.name!r}, which is no file.")
                yield member.name, file, member.size
    except tarfile.TarError as error:
        raise BackupError(f"{source} is no backup, or was cut short ({error}).") from error


def _of_folder(folder: Path) -> Iterator[tuple[str, IO[bytes], int]]:
    ends = (HEADER, MANIFEST)
    names = sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )
    inner = [name for name in names if name not in ends]
    first = [HEADER] if HEADER in names else []
    last = [MANIFEST] if MANIFEST in names else []
    for name in (*first, *inner, *last):
        path = folder / name
        with path.open("rb") as file:
            yield name, file, path.stat().st_size


HEADER: Final = "toile-backup.json"
MANIFEST: Final = "manifest.json"
ARTIFACTS: Final = "artifacts/"
RECORDS: Final = "records/"


def small(data: bytes) -> tuple[IO[bytes], int]:
    """Return bytes as a member's source and size."""
    return BytesIO(data), len(data)


def _changed(name: str) -> BackupError:
    return BackupError(f"{name} changed its size while it was copied; make the backup again.")

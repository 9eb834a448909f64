"""Zip and tar archives, listed and read as streams under limits."""

import bz2
import gzip
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, cast

from shared.errors import TooLargeError, UnreadableSourceError
from worker.catalogs.files import Listing, ListingBuilder, check_inflated, safe_name
from worker.catalogs.garments import Rejection
from worker.catalogs.limits import IngestLimits

_ZIP_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ZIP_DAMAGE: Final = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError,
    RuntimeError, struct.error, OverflowError,  # RuntimeError: a password is needed
)  # fmt: skip
_TAR_DAMAGE: Final = (
    tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError, ValueError, OverflowError,
    RecursionError,  # one long name says that the next header is its own, a thousand times
)  # fmt: skip
_SYMLINK: Final = 0o120000
_KIND: Final = 0o170000
_ENCRYPTED: Final = 0x1
_END: Final = struct.Struct("<4s4H2LH")  # the end-of-directory record, APPNOTE 4.3.16
# A directory entry takes 46 bytes and its name; Python keeps about ten times as much of each.
_BYTES_PER_ENTRY: Final = 512
PACKED: Final[tuple[tuple[bytes, Callable[[Path], object]], ...]] = (
    (b"\x1f\x8b", gzip.open),
    (b"BZh", bz2.open),
    (b"\xfd7zXZ\x00", lzma.open),
)
_EXTENDED: Final = (
    tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)  # fmt: skip
_MAX_EXTENDED: Final = 2**20  # bytes of a long name or of a member's comments


class ZipFiles:
    """A zip archive. Members are read one by one from where they are."""

    def __init__(self, path: Path, limits: IngestLimits) -> None:
        self._path = path
        self._limits = limits

    def listing(self) -> Listing:
        """List it whole, with the sizes that its directory declares; reading is held to them."""
        builder = ListingBuilder(self._path.name, self._limits)
        packed = self._path.stat().st_size
        with self._opened() as archive:
            for info in archive.infolist():
                builder.count()
                builder.inflate(info.file_size, packed=packed)
                name = safe_name(info.filename, source=self._path.name)
                if not info.is_dir():
                    builder.add(name, info.file_size, problem=_zip_problem(info))
        return builder.build()

    def read(self, names: Collection[str]) -> Iterator[tuple[str, bytes | Rejection]]:
        """Yield the named members in the directory's order."""
        wanted = set(names)
        with self._opened() as archive:
            for info in archive.infolist():
                name = safe_name(info.filename, source=self._path.name)
                if name in wanted and not info.is_dir():
                    wanted.discard(name)  # of a name held twice the first one counts
                    yield name, _zip_content(archive, info, name)

    @contextmanager
    def _opened(self) -> Iterator[zipfile.ZipFile]:
        _check_directory(self._path, self._limits)
        try:
            archive = zipfile.ZipFile(self._path)
        except _ZIP_DAMAGE as error:
            raise UnreadableSourceError(
                f"{self._path.name} is not a whole zip archive ({error}). Upload it again.",
                path=self._path.name,
            ) from error
        with archive:
            yield archive


def _zip_problem(info: zipfile.ZipInfo) -> str | None:
    if info.flag_bits & _ENCRYPTED:
        return "it is encrypted; pack it without a password."
    if (info.external_attr >> 16) & _KIND == _SYMLINK:
        return "it is a link; links are not followed."
    if info.compress_type not in _ZIP_METHODS:
        return f"it is packed by method {info.compress_type}; only stored and deflated are read."
    return None


def _zip_content(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> bytes | Rejection:
    try:
        with archive.open(info) as member:
            return member.read(info.file_size)
    except _ZIP_DAMAGE as error:
        return Rejection(name, f"it is damaged in the archive ({error}).")


def _check_directory(path: Path, limits: IngestLimits) -> None:
    """Refuse a directory so long that parsing it would fill the memory, before it is parsed."""
    with path.open("rb") as file:
        end = file.seek(0, 2)
        file.seek(max(0, end - 0xFFFF - _END.size))
        tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        return  # zipfile itself says what is wrong
    length = _END.unpack_from(tail, at)[5]
    if length == 0xFFFF_FFFF:  # noqa: PLR2004 - zip64: the directory is at most all that is there
        length = end
    if length > limits.max_files * _BYTES_PER_ENTRY:
        raise TooLargeError(
            f"{path.name} holds more than {limits.max_files} files; split it.",
            limit=limits.max_files,
        )


class TarFiles:
    """A tar archive, plain or packed with gzip, bzip2 or xz. It is read from start to end."""

    def __init__(self, path: Path, limits: IngestLimits) -> None:
        self._path = path
        self._limits = limits

    def listing(self) -> Listing:
        """List it whole; a packed one is inflated once for this, into nothing."""
        builder = ListingBuilder(self._path.name, self._limits)
        for _, member in self._members():
            builder.count()
            name = safe_name(member.name, source=self._path.name)
            if not member.isdir():
                builder.add(name, member.size, problem=_tar_problem(member))
        return builder.build()

    def read(self, names: Collection[str]) -> Iterator[tuple[str, bytes | Rejection]]:
        """Yield the named members; stops reading when all are there."""
        wanted = set(names)
        if not wanted:
            return
        for archive, member in self._members():
            name = safe_name(member.name, source=self._path.name)
            if name in wanted and _tar_problem(member) is None and not member.isdir():
                wanted.discard(name)
                with self._damage_named():
                    file = archive.extractfile(member)
                    content = file.read() if file else b""
                yield name, content
            if not wanted:
                return

    def _members(self) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
        with self._damage_named(), _unpacked(self._path) as unpacked:
            stream = cast("IO[bytes]", _Measured(unpacked, self._path, self._limits))
            with tarfile.open(fileobj=stream, mode="r|", tarinfo=_Header) as archive:
                for member in archive:
                    yield archive, member
                    # Else tarfile remembers every one; typeshed does not know the list.
                    archive.members = []  # type: ignore[attr-defined]

    @contextmanager
    def _damage_named(self) -> Iterator[None]:
        try:
            yield
        except _TAR_DAMAGE as error:
            raise UnreadableSourceError(
                f"{self._path.name} is not a whole tar archive ({error}). Upload it again.",
                path=self._path.name,
            ) from error


class _Header(tarfile.TarInfo):
    """A member's header, which may not bring an endless name or comment with it."""

    def _proc_member(self, tarfile_: tarfile.TarFile) -> tarfile.TarInfo:
        extended = self.type not in tarfile.SUPPORTED_TYPES or self.type in _EXTENDED
        if extended and self.size > _MAX_EXTENDED:
            raise tarfile.ReadError(f"a header of {self.size} bytes")
        return super()._proc_member(tarfile_)  # type: ignore[misc, no-any-return]  # not in typeshed


def _tar_problem(member: tarfile.TarInfo) -> str | None:
    if member.issym() or member.islnk():
        return "it is a link; links are not followed."
    if not member.isreg() or member.issparse():
        return "it is no regular file."
    return None


def _unpacked(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        magic = file.read(6)
    for start, opener in PACKED:
        if magic.startswith(start):
            return cast("IO[bytes]", opener(path))
    return path.open("rb")


class _Measured:
    """A stream that stops with an error where an archive inflates beyond its limits."""

    def __init__(self, stream: IO[bytes], path: Path, limits: IngestLimits) -> None:
        self._stream = stream
        self._name = path.name
        self._packed = path.stat().st_size
        self._limits = limits
        self._total = 0

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._total += len(data)
        check_inflated(self._total, packed=self._packed, source=self._name, limits=self._limits)
        return data

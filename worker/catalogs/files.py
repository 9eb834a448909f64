"""The files of a folder or an archive, listed and read without ever writing one to disk.

What you can rely on:

- A listing is checked as a whole before any file is read: climbing and absolute paths, too many
  files, too many bytes and bombs raise, so that nothing of such a source is taken in.
- Links, devices, encrypted members and archives within the archive are rejected by name. They are
  harmless here, since nothing is extracted and no link is followed.
- What operating systems leave behind (hidden files, ``__MACOSX``, ``Thumbs.db``) is passed over.
"""

import os
import re
import stat
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from shared.errors import TooLargeError, UnreadableSourceError
from worker.catalogs.garments import Rejection
from worker.catalogs.limits import MIB, IngestLimits

_LITTER: Final = frozenset({"__macosx", "thumbs.db", "desktop.ini", "ehthumbs.db"})
_ARCHIVES: Final = (
    ".zip", ".tar", ".gz", ".tgz", ".bz2", ".tbz2", ".xz", ".txz", ".7z", ".rar", ".zst",
)  # fmt: skip
_DRIVE: Final = re.compile(r"[A-Za-z]:/")


@dataclass(frozen=True, slots=True)
class Listing:
    """The readable files by name, with their bytes, in the source's order; and what is not."""

    files: Mapping[str, int]
    rejections: tuple[Rejection, ...]


class FileTree(Protocol):
    """A folder or an archive."""

    def listing(self) -> Listing:
        """List it whole. Raises UnreadableSourceError or TooLargeError."""

    def read(self, names: Collection[str]) -> Iterator[tuple[str, bytes | Rejection]]:
        """Yield the named files in the source's order; one that is damaged as its rejection."""


class ListingBuilder:
    """Collects a listing and holds it to the limits."""

    def __init__(self, source: str, limits: IngestLimits) -> None:
        self.source = source
        self.limits = limits
        self._files: dict[str, int] = {}
        self._rejections: list[Rejection] = []
        self._total = 0
        self._count = 0

    def count(self) -> None:
        """Count a member of any kind. Raises TooLargeError beyond the limit."""
        self._count += 1
        if self._count > self.limits.max_files:
            raise TooLargeError(
                f"{self.source} holds more than {self.limits.max_files} files; split it.",
                limit=self.limits.max_files,
            )

    def add(self, name: str, size: int, *, problem: str | None = None) -> None:
        """Add one file by its safe name, or reject it for a problem of its own."""
        if is_litter(name):
            return
        if problem is None and name in self._files:
            problem = "the archive holds this name twice; the first one counts."
        if problem is None and name.lower().endswith(_ARCHIVES):
            problem = "it is an archive within the source; those are not opened."
        if problem is None and size > self._limit_of(name):
            problem = (
                f"it has {size / MIB:.0f} MiB; at most {self._limit_of(name) // MIB} are read."
            )
        if problem is None:
            self._files[name] = size
        else:
            self._rejections.append(Rejection(name, problem))

    def _limit_of(self, name: str) -> int:
        manifest = name.lower().endswith((".csv", ".jsonl"))
        return self.limits.max_manifest_bytes if manifest else self.limits.max_file_bytes

    def inflate(self, size: int, *, packed: int) -> None:
        """Count inflated bytes. Raises TooLargeError beyond the total or the ratio."""
        self._total += size
        check_inflated(self._total, packed=packed, source=self.source, limits=self.limits)

    def build(self) -> Listing:
        """Return what was collected."""
        return Listing(self._files, tuple(self._rejections))


def check_inflated(total: int, *, packed: int, source: str, limits: IngestLimits) -> None:
    """Raise TooLargeError when an archive inflates beyond the total or the ratio allowed."""
    if total > limits.max_total_bytes:
        raise TooLargeError(
            f"{source} inflates to more than {limits.max_total_bytes / MIB:.0f} MiB; split it.",
            limit=limits.max_total_bytes,
        )
    if total > limits.ratio_from and total > limits.max_ratio * max(packed, 1):
        raise TooLargeError(
            f"{source} has {packed} bytes and inflates to more than {limits.max_ratio} times as "
            "many, as no pictures do; it looks like a bomb and was not read.",
            limit=limits.max_ratio,
        )


def safe_name(name: str, *, source: str) -> str:
    """Return a member's path with ``/`` between its parts, printable, without ``.`` parts.

    Raises:
        UnreadableSourceError: it is absolute or climbs out; an archive that does this is hostile
            or broken, and nothing of it is read.
    """
    path = name.replace("\\", "/")
    parts = [part for part in path.split("/") if part not in {"", "."}]
    if path.startswith("/") or _DRIVE.match(path) or ".." in parts:
        raise UnreadableSourceError(
            f"{source} has a member whose path leads outside of it: {printable(name)!r}. "
            "Pack it again with paths relative to one folder.",
            member=printable(name),
        )
    return printable("/".join(parts))


def printable(name: str) -> str:
    """Return a name that can be logged and stored: no control characters, no broken letters."""
    whole = name.encode("utf-8", "replace").decode("utf-8")
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in whole
    )


def is_litter(name: str) -> bool:
    """Whether a file is hidden or left behind by an operating system."""
    return any(part.startswith(".") or part.lower() in _LITTER for part in name.split("/"))


class FolderFiles:
    """A folder on this machine."""

    def __init__(self, path: Path, limits: IngestLimits) -> None:
        self._path = path
        self._limits = limits

    def listing(self) -> Listing:
        """List it whole, by name."""
        builder = ListingBuilder(self._path.name, self._limits)
        for name, entry in self._walk():
            builder.count()
            size, problem = _looked_at(entry)
            builder.add(name, size, problem=problem)
        return builder.build()

    def read(self, names: Collection[str]) -> Iterator[tuple[str, bytes | Rejection]]:
        """Yield the named files, by name."""
        wanted = set(names)
        for name, entry in self._walk():
            if name in wanted:
                yield name, self._content(name, entry.path)

    def _walk(self) -> Iterator[tuple[str, "os.DirEntry[str]"]]:
        pending = [str(self._path)]
        while pending:
            try:
                entries = sorted(os.scandir(pending.pop()), key=lambda entry: entry.name)
            except OSError as error:
                raise UnreadableSourceError(
                    f"{self._path.name} cannot be listed: {error.strerror}.", path=str(self._path)
                ) from error
            for entry in entries:
                name = printable(os.path.relpath(entry.path, self._path).replace(os.sep, "/"))
                if not entry.is_dir(follow_symlinks=False):
                    yield name, entry
            folders = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
            pending += reversed([path for path in folders if not is_litter(Path(path).name)])

    def _content(self, name: str, path: str) -> bytes | Rejection:
        # The file may have become a link or a pipe since it was listed: never follow, never wait.
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        try:
            with os.fdopen(os.open(path, flags), "rb") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    return Rejection(name, "it is no regular file.")
                return file.read(max(self._limits.max_file_bytes, self._limits.max_manifest_bytes))
        except OSError as error:
            return Rejection(name, f"it cannot be read: {error.strerror}.")


def _looked_at(entry: "os.DirEntry[str]") -> tuple[int, str | None]:
    """Return a folder entry's bytes and what speaks against reading it."""
    try:
        found = entry.stat(follow_symlinks=False)
    except OSError as error:
        return 0, f"it cannot be read: {error.strerror}."
    if stat.S_ISLNK(found.st_mode):
        return 0, "it is a link; links are not followed."
    return found.st_size, None if stat.S_ISREG(found.st_mode) else "it is no regular file."

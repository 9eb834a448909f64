"""How much room is left for records and artifacts, and when there is too little to begin work."""

import os
from pathlib import Path
from typing import Final, Self

from shared.errors import DiskFullError
from shared.settings import Settings

ARTIFACT_SHARE: Final = 4
"""Artifacts may be written down to this part of the floor: what is under way ends while nothing new
begins, and the last part is the records', so that how a job ended can always be written."""

_MIB: Final = 2**20


class Room:
    """The free space of this machine's folders.

    Args:
        folders: each with what it holds; those that are not there yet count as their parent.
        floor: bytes that stay free; 0 looks at nothing.
    """

    def __init__(self, folders: dict[str, Path], *, floor: int) -> None:
        self._folders = folders
        self._floor = floor

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the room of the folders that the settings name."""
        folders = {}
        if settings.database_url is None:
            folders["records"] = settings.home.resolve()
        if settings.artifact_folder is not None:
            folders["artifacts"] = settings.artifact_folder.resolve()
        return cls(folders, floor=settings.disk_floor)

    def require(self) -> None:
        """Let new work begin.

        Raises:
            DiskFullError: too little is free.
        """
        for what, folder in self._folders.items():
            self._require(what, folder, self._floor)

    def require_for_artifact(self, size: int) -> None:
        """Let an artifact of a size be written.

        Raises:
            DiskFullError: too little would be left.
        """
        if "artifacts" in self._folders and self._floor:
            folder = self._folders["artifacts"]
            self._require("artifacts", folder, size + self._floor // ARTIFACT_SHARE)

    def _require(self, what: str, folder: Path, least: int) -> None:
        if not self._floor:
            return
        free = free_bytes(folder)
        if free < least:
            raise DiskFullError(
                f"Only {free // _MIB} MiB are free for {what}, and {least // _MIB} MiB are needed, "
                "so nothing was written. Make room on the disk, or let less stay free with "
                "TOILE_DISK_FLOOR.",
                free=free,
                least=least,
            )


def free_bytes(folder: Path) -> int:
    """Return what may still be written on a folder's disk, bytes."""
    while not folder.exists():
        folder = folder.parent
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize

"""A small disk of the harness' own, which can be filled; only where this user may mount one."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_FILLER: Final = "filler"
_CHUNK: Final = bytes(2**16)


class Disk:
    """A folder with little room.

    Attributes:
        folder: where it is.
        is_small: whether it can be filled; else it is a part of the machine's own disk.
    """

    def __init__(self, folder: Path, *, is_small: bool) -> None:
        self.folder = folder
        self.is_small = is_small

    def fill(self) -> None:
        """Take all room that there is."""
        if not self.is_small:
            raise AssertionError("Filling the machine's own disk would harm others.")
        with suppress(OSError), (self.folder / _FILLER).open("ab", buffering=0) as file:
            while file.write(_CHUNK) == len(_CHUNK):
                pass

    def clear(self) -> None:
        """Give the room back."""
        (self.folder / _FILLER).unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path, *, mebibytes: int) -> Iterator[Disk]:
    """Yield a disk of so many MiB at a folder, or the plain folder where none may be mounted."""
    folder.mkdir(parents=True, exist_ok=True)
    options = ["-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(folder)]
    is_small = os.geteuid() == 0 and _said_yes(["mount", *options])
    try:
        yield Disk(folder, is_small=is_small)
    finally:
        if is_small:
            _said_yes(["umount", "--lazy", str(folder)])


def _said_yes(command: list[str]) -> bool:
    try:
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False

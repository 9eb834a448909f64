"""Packing a folder into one file for an upload."""

import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def packed(folder: Path) -> Iterator[Path]:
    """Yield a tar of a folder's files, gone afterwards; pictures do not compress further."""
    with tempfile.TemporaryDirectory(prefix="toile-") as place:
        target = Path(place) / f"{folder.resolve().name or 'folder'}.tar"
        with tarfile.open(target, "w") as archive:
            for path in sorted(folder.rglob("*")):
                if path.is_file() and not path.name.startswith("."):
                    archive.add(path, path.relative_to(folder).as_posix(), recursive=False)
        yield target

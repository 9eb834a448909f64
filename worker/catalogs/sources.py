"""Opening a source: a zip, a tar, a folder, IDX files or one picture, with or without a manifest.

The written rules:

- The manifest is the shallowest file named ``labels.csv``, ``labels.jsonl``, ``manifest.csv`` or
  ``manifest.jsonl``; at the same depth the first of these. Any other such file is a file that no
  row names.
- A row's picture is looked for beside the manifest, then from the top of the source. A row that
  names no folder then takes the only file of that name in any folder, or the only file of that name
  with any suffix (``1563`` is ``images/1563.jpg``).
- A picture that two rows name takes the first row; the other row is rejected.
- With a manifest, a file that no row names is rejected. Texts about the collection itself (readme,
  licence, notice, changelog, copying; ``.md``) are passed over, named or not.
- Without a manifest a picture's category is the folder that holds it. A folder that only says that
  there are pictures (``images``, ``photos``, ``train`` ...) is no category, nor is the top.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from shared.errors import NotFoundError, TooLargeError, UnreadableSourceError
from worker.catalogs.archives import PACKED, TarFiles, ZipFiles
from worker.catalogs.fields import label_value
from worker.catalogs.files import FileTree, FolderFiles, Listing
from worker.catalogs.garments import (
    CATEGORY,
    GarmentFields,
    Rejection,
    Remark,
    Source,
    SourceItem,
)
from worker.catalogs.idx import IdxSource, find_images, is_idx_images
from worker.catalogs.limits import DEFAULT_LIMITS, IngestLimits
from worker.catalogs.manifest import MANIFEST_NAMES, Manifest, ManifestRow, read_manifest

_ABOUT: Final = ("readme", "licence", "license", "notice", "changelog", "copying")
_NO_CATEGORY: Final = frozenset(
    {
        "image", "images", "img", "imgs", "picture", "pictures", "photo", "photos", "data",
        "dataset", "catalog", "catalogue", "train", "training", "test", "val", "all", "files",
    }
)  # fmt: skip
_TAR_MAGIC_AT: Final = 257
_EXPECTED: Final = (
    "expected a zip, a tar (plain, gz, bz2 or xz), a folder of pictures, IDX files or one picture"
)
_PICTURES: Final = (
    b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\x00", b"MM\x00*", b"RIFF",
    b"\x00\x00\x00",  # AVIF: the length of its first box
)  # fmt: skip


def open_source(path: Path, *, limits: IngestLimits = DEFAULT_LIMITS) -> Source:
    """Open what is at ``path`` and check it as a whole; nothing is decoded yet.

    Raises:
        NotFoundError: there is nothing.
        UnreadableSourceError: it is none of the known kinds, is damaged or hostile, has a manifest
            that cannot be read, or holds no pictures.
        TooLargeError: it is beyond the limits as a whole.
    """
    if not path.exists():
        raise NotFoundError(f"There is nothing at {path}.", path=str(path))
    if path.is_dir():
        idx = find_images(path)
        if idx is not None:
            return IdxSource(idx[0], limits, left_out=idx[1])
        return PictureFiles(FolderFiles(path, limits), named=path.name, limits=limits)
    if is_idx_images(path):
        return IdxSource(path, limits)
    with path.open("rb") as file:
        start = file.read(_TAR_MAGIC_AT + 5)
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return PictureFiles(ZipFiles(path, limits), named=path.name, limits=limits)
    packed = any(start.startswith(magic) for magic, _ in PACKED)
    if packed or start[_TAR_MAGIC_AT:] == b"ustar":
        return PictureFiles(TarFiles(path, limits), named=path.name, limits=limits)
    if start.startswith(_PICTURES):
        return _one_picture(path, limits)
    raise UnreadableSourceError(
        f"{path.name} is of no kind that can be read; {_EXPECTED}.", path=path.name
    )


def _one_picture(path: Path, limits: IngestLimits) -> "OnePicture":
    if path.stat().st_size > limits.max_file_bytes:
        raise TooLargeError(
            f"{path.name} has more than {limits.max_file_bytes} bytes; give a smaller picture.",
            limit=limits.max_file_bytes,
        )
    return OnePicture(path.name, path.read_bytes())


class OnePicture:
    """A single picture with what is known of it."""

    def __init__(
        self,
        name: str,
        content: bytes,
        fields: GarmentFields = GarmentFields(),  # noqa: B008 - frozen
    ) -> None:
        self._item = SourceItem(name, content, fields)

    @property
    def expected(self) -> int:
        """One."""
        return 1

    def items(self) -> Iterator[SourceItem | Rejection | Remark]:
        """Yield the picture."""
        yield self._item


class PictureFiles:
    """The picture files of a folder or archive, joined with its manifest or its folders' names."""

    def __init__(self, tree: FileTree, *, named: str, limits: IngestLimits) -> None:
        self._tree = tree
        listing = tree.listing()
        self._rejections = list(listing.rejections)
        self._remarks: list[Remark] = []
        manifest = _find_manifest(listing.files)
        if manifest is None:
            self._fields = {
                name: _fields_of_folder(name) for name in listing.files if not _is_about(name)
            }
        else:
            self._fields = self._join(manifest, listing, limits)
        if not self._fields and not self._rejections:
            raise UnreadableSourceError(f"{named} holds no pictures; {_EXPECTED}.", path=named)

    @property
    def expected(self) -> int:
        """How many pictures and rejections there are."""
        return len(self._fields) + len(self._rejections)

    def items(self) -> Iterator[SourceItem | Rejection | Remark]:
        """Yield what was found amiss, then every picture in the source's order."""
        yield from self._remarks
        yield from self._rejections
        for name, content in self._tree.read(self._fields):
            if isinstance(content, Rejection):
                yield content
            else:
                yield SourceItem(name, content, self._fields[name])

    def _join(self, name: str, listing: Listing, limits: IngestLimits) -> dict[str, GarmentFields]:
        manifest = self._read_manifest(name, limits)
        self._rejections += manifest.rejections
        self._remarks += manifest.remarks
        files = _Finder([file for file in listing.files if file != name], beside=name)
        rows: dict[str, ManifestRow] = {}
        for row in manifest.rows:
            problem = self._place(row, files, rows, manifest=name)
            if problem is not None:
                self._rejections.append(Rejection(row.image, f"{name} line {row.line}: {problem}"))
        for file in listing.files:
            if file not in rows and file != name and not _is_about(file):
                self._rejections.append(Rejection(file, f"no row of {name} names it."))
        return {file: row.fields for file, row in rows.items()}

    def _place(
        self, row: ManifestRow, files: "_Finder", rows: dict[str, ManifestRow], *, manifest: str
    ) -> str | None:
        """Give a row its file, or say what speaks against it."""
        found = files.find(row.image)
        if len(found) != 1:
            return f"{len(found)} files fit." if found else "there is no such file."
        if found[0] in rows:
            return f"line {rows[found[0]].line} names this picture already."
        rows[found[0]] = row
        self._remarks += [
            Remark(row.image, f"{manifest} line {row.line}: {text}") for text in row.remarks
        ]
        return None

    def _read_manifest(self, name: str, limits: IngestLimits) -> Manifest:
        for _, content in self._tree.read([name]):
            if isinstance(content, bytes):
                return read_manifest(name, content, max_attributes=limits.max_attributes)
            raise UnreadableSourceError(f"{name}: {content.reason}", manifest=name)
        raise UnreadableSourceError(f"{name} has gone.", manifest=name)


class _Finder:
    """Finds the file that a manifest means, by the rules at the top of this module."""

    def __init__(self, files: Sequence[str], *, beside: str) -> None:
        self._folder = PurePosixPath(beside).parent
        self._files = frozenset(files)
        self._names: defaultdict[str, list[str]] = defaultdict(list)
        self._stems: defaultdict[str, list[str]] = defaultdict(list)
        for file in files:
            path = PurePosixPath(file)
            self._names[path.name].append(file)
            self._stems[path.stem].append(file)

    def find(self, image: str) -> list[str]:
        """Return the files that fit; one is the answer, several are ambiguous."""
        for whole in (str(self._folder / image), image):
            if whole in self._files:
                return [whole]
        return self._names.get(image) or self._stems.get(image) or []


def _find_manifest(files: Mapping[str, int]) -> str | None:
    found = [name for name in files if PurePosixPath(name).name.lower() in MANIFEST_NAMES]
    return min(found, key=_manifest_order, default=None)


def _manifest_order(name: str) -> tuple[int, int, str]:
    path = PurePosixPath(name)
    return len(path.parts), MANIFEST_NAMES.index(path.name.lower()), name


def _fields_of_folder(name: str) -> GarmentFields:
    category = label_value(PurePosixPath(name).parent.name)
    if category is None or category in _NO_CATEGORY:
        return GarmentFields()
    return GarmentFields({CATEGORY: category})


def _is_about(name: str) -> bool:
    file = PurePosixPath(name).name.lower()
    return file.startswith(_ABOUT) or file.endswith(".md")

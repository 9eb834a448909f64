"""Zip, tar and folder: whole, hostile and broken."""

import bz2
import gzip
import io
import lzma
import os
import struct
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from shared.errors import TooLargeError, UnreadableSourceError
from worker.catalogs.archives import TarFiles, ZipFiles
from worker.catalogs.files import FolderFiles
from worker.catalogs.garments import Rejection
from worker.catalogs.limits import DEFAULT_LIMITS

FILES = {"dress/1.png": b"one", "dress/2.png": b"two " * 50, "bag/3.png": b"three"}
Packer = Callable[[bytes], bytes]


def write_zip(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tar_bytes(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def member(name: str, content: bytes = b"x", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_a_tar_of_any_packing_is_listed_and_read_in_order(tmp_path: Path, pack: Packer) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(pack(tar_bytes(*(member(name, data) for name, data in FILES.items()))))
    tree = TarFiles(path, DEFAULT_LIMITS)
    assert dict(tree.listing().files) == {name: len(data) for name, data in FILES.items()}
    assert dict(tree.read(list(FILES))) == FILES
    assert [name for name, _ in tree.read(["bag/3.png", "dress/1.png"])] == [
        "dress/1.png",
        "bag/3.png",
    ]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_is_listed_and_read_in_order(tmp_path: Path, method: int) -> None:
    tree = ZipFiles(write_zip(tmp_path / "a.zip", FILES, method), DEFAULT_LIMITS)
    assert list(tree.listing().files) == list(FILES)
    assert dict(tree.read(list(FILES))) == FILES


def test_a_folder_is_listed_and_read_by_name(tmp_path: Path) -> None:
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    tree = FolderFiles(tmp_path, DEFAULT_LIMITS)
    assert list(tree.listing().files) == sorted(FILES)
    assert dict(tree.read(list(FILES))) == FILES


@pytest.mark.parametrize(
    "name",
    ["../out.png", "a/../../out.png", "/etc/out.png", "C:/out.png", "..\\out.png", "C:\\o.png"],
)
def test_an_archive_with_a_path_that_leads_out_is_refused_as_a_whole(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(UnreadableSourceError, match="leads outside"):
        ZipFiles(write_zip(tmp_path / "a.zip", {**FILES, name: b"x"}), DEFAULT_LIMITS).listing()
    (tmp_path / "a.tar").write_bytes(tar_bytes(member("ok.png"), member(name)))
    with pytest.raises(UnreadableSourceError, match="leads outside"):
        TarFiles(tmp_path / "a.tar", DEFAULT_LIMITS).listing()


def test_links_devices_and_pipes_in_a_tar_are_rejected_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(
        tar_bytes(
            member("good.png"),
            member("soft.png", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
            member("hard.png", b"", type=tarfile.LNKTYPE, linkname="good.png"),
            member("device.png", b"", type=tarfile.CHRTYPE),
            member("pipe.png", b"", type=tarfile.FIFOTYPE),
        )
    )
    listing = TarFiles(tmp_path / "a.tar", DEFAULT_LIMITS).listing()
    assert list(listing.files) == ["good.png"]
    assert {r.name: r.reason.split(";")[0] for r in listing.rejections} == {
        "soft.png": "it is a link",
        "hard.png": "it is a link",
        "device.png": "it is no regular file.",
        "pipe.png": "it is no regular file.",
    }


def test_a_link_in_a_zip_and_a_member_with_a_password_are_rejected_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        link = zipfile.ZipInfo("link.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("secret.png", b"x")
        archive.writestr("bz.png", b"x", compress_type=zipfile.ZIP_BZIP2)
        archive.writestr("good.png", b"x")
    content = bytearray(path.read_bytes())
    at = content.index(b"secret.png", content.index(b"PK\x01\x02")) - 46
    content[at + 8] |= 1  # the directory's encryption flag
    path.write_bytes(content)
    listing = ZipFiles(path, DEFAULT_LIMITS).listing()
    assert list(listing.files) == ["good.png"]
    reasons = {r.name: r.reason for r in listing.rejections}
    assert "link" in reasons["link.png"]
    assert "password" in reasons["secret.png"]
    assert "method 12" in reasons["bz.png"]


def test_links_and_pipes_in_a_folder_are_rejected_and_never_waited_for(tmp_path: Path) -> None:
    outside = tmp_path / "secret.png"
    outside.write_bytes(b"x")
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "good.png").write_bytes(b"good")
    (folder / "link.png").symlink_to(outside)
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe.png")
    tree = FolderFiles(folder, DEFAULT_LIMITS)
    assert list(tree.listing().files) == ["good.png"]
    assert {r.name for r in tree.listing().rejections} == {"link.png", "loop", "pipe.png"}
    swapped = dict(tree.read(["good.png", "link.png", "pipe.png"]))
    assert swapped["good.png"] == b"good"
    assert isinstance(swapped["link.png"], Rejection)
    assert isinstance(swapped["pipe.png"], Rejection)


def test_a_zip_bomb_is_refused_before_it_is_inflated(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "bomb.zip", {"zeros.png": bytes(100 * 2**20)})
    assert path.stat().st_size < 200_000
    with pytest.raises(TooLargeError, match="bomb"):
        ZipFiles(path, DEFAULT_LIMITS).listing()


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_packed_tar_bomb_is_refused_while_it_is_inflated(tmp_path: Path, pack: Packer) -> None:
    path = tmp_path / "bomb.tar"
    path.write_bytes(pack(tar_bytes(member("zeros.png", bytes(80 * 2**20)))))
    with pytest.raises(TooLargeError, match="bomb"):
        TarFiles(path, DEFAULT_LIMITS).listing()


def test_a_zip_member_that_inflates_to_more_than_it_says_is_rejected(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "liar.zip", {"a.png": bytes(10_000), "b.png": b"good"})
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        content[content.index(signature) + offset :][:4] = b""
        at = content.index(signature) + offset
        content[at : at + 4] = struct.pack("<I", 10)
    path.write_bytes(content)
    tree = ZipFiles(path, DEFAULT_LIMITS)
    assert tree.listing().files["a.png"] == 10
    read = dict(tree.read(["a.png", "b.png"]))
    assert isinstance(read["a.png"], Rejection)
    assert "damaged" in read["a.png"].reason
    assert read["b.png"] == b"good"


def test_too_many_files_and_too_many_bytes_are_refused(tmp_path: Path) -> None:
    zipped = write_zip(tmp_path / "a.zip", FILES)
    (tmp_path / "a.tar").write_bytes(tar_bytes(*(member(n, c) for n, c in FILES.items())))
    for tree_of, path in ((ZipFiles, zipped), (TarFiles, tmp_path / "a.tar")):
        with pytest.raises(TooLargeError, match="more than 2 files"):
            tree_of(path, replace(DEFAULT_LIMITS, max_files=2)).listing()
        with pytest.raises(TooLargeError, match="inflates to more"):
            tree_of(path, replace(DEFAULT_LIMITS, max_total_bytes=200)).listing()
    with pytest.raises(TooLargeError, match="more than 1 files"):
        FolderFiles(tmp_path, replace(DEFAULT_LIMITS, max_files=1)).listing()


def test_a_directory_of_millions_of_entries_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {f"{i}.png": b"" for i in range(100)})
    with pytest.raises(TooLargeError, match="more than 5 files"):
        next(ZipFiles(path, replace(DEFAULT_LIMITS, max_files=5)).read(["1.png"]))


def test_one_file_that_is_too_large_is_rejected_and_the_rest_goes_on(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"large.png": bytes(3000), "small.png": b"x"})
    listing = ZipFiles(path, replace(DEFAULT_LIMITS, max_file_bytes=2000)).listing()
    assert list(listing.files) == ["small.png"]
    assert [r.name for r in listing.rejections] == ["large.png"]


def test_archives_within_are_reported_and_not_opened(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"more.zip": b"PK", "old.tar.gz": b"x", "1.png": b"x"})
    listing = ZipFiles(path, DEFAULT_LIMITS).listing()
    assert list(listing.files) == ["1.png"]
    assert {r.name for r in listing.rejections} == {"more.zip", "old.tar.gz"}
    assert all("archive within" in r.reason for r in listing.rejections)


def test_what_systems_leave_behind_is_passed_over(tmp_path: Path) -> None:
    litter = ("__MACOSX/._1.png", ".DS_Store", "a/Thumbs.db", "desktop.ini", ".git/config")
    path = write_zip(tmp_path / "a.zip", {**dict.fromkeys(litter, b"x"), "a/1.png": b"x"})
    listing = ZipFiles(path, DEFAULT_LIMITS).listing()
    assert (list(listing.files), listing.rejections) == (["a/1.png"], ())


def test_of_a_name_held_twice_the_first_counts(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(tar_bytes(member("1.png", b"first"), member("1.png", b"last")))
    tree = TarFiles(tmp_path / "a.tar", DEFAULT_LIMITS)
    assert [r.reason for r in tree.listing().rejections] == [
        "the archive holds this name twice; the first one counts."
    ]
    assert dict(tree.read(["1.png"])) == {"1.png": b"first"}


@pytest.mark.parametrize("keep", [30, 0.5, 0.97])
def test_a_zip_cut_short_is_refused(tmp_path: Path, keep: float) -> None:
    path = write_zip(tmp_path / "a.zip", {f"{i}.png": os.urandom(2000) for i in range(9)})
    content = path.read_bytes()
    path.write_bytes(content[: int(keep if keep > 1 else keep * len(content))])
    with pytest.raises(UnreadableSourceError, match="not a whole zip"):
        ZipFiles(path, DEFAULT_LIMITS).listing()


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("keep", [0.3, 0.7])
def test_a_tar_cut_short_is_refused(tmp_path: Path, pack: Packer, keep: float) -> None:
    members = [member(f"{i}.png", os.urandom(200_000)) for i in range(5)]
    content = pack(tar_bytes(*members))
    (tmp_path / "a.tar").write_bytes(content[: int(keep * len(content))])
    with pytest.raises(UnreadableSourceError, match="not a whole tar"):
        TarFiles(tmp_path / "a.tar", DEFAULT_LIMITS).listing()


def test_a_damaged_zip_member_is_rejected_by_name_and_the_rest_goes_on(tmp_path: Path) -> None:
    data = {f"{i}.png": os.urandom(5000) for i in range(3)}
    path = write_zip(tmp_path / "a.zip", data, zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[content.index(data["1.png"]) + 100] ^= 0xFF
    path.write_bytes(content)
    read = dict(ZipFiles(path, DEFAULT_LIMITS).read(list(data)))
    assert isinstance(read["1.png"], Rejection)
    assert [read["0.png"], read["2.png"]] == [data["0.png"], data["2.png"]]


def test_a_tar_header_with_an_endless_comment_is_refused(tmp_path: Path) -> None:
    name = b"x" * (2 * 2**20)
    long_name = member("././@LongLink", name, type=tarfile.GNUTYPE_LONGNAME)
    (tmp_path / "a.tar").write_bytes(tar_bytes(long_name, member("1.png")))
    with pytest.raises(UnreadableSourceError, match="a header of 2097152 bytes"):
        TarFiles(tmp_path / "a.tar", DEFAULT_LIMITS).listing()


def test_headers_that_follow_each_other_without_end_are_refused(tmp_path: Path) -> None:
    chain = [member("././@LongLink", b"n", type=tarfile.GNUTYPE_LONGNAME) for _ in range(3000)]
    (tmp_path / "a.tar").write_bytes(tar_bytes(*chain, member("1.png")))
    with pytest.raises(UnreadableSourceError, match="not a whole tar"):
        TarFiles(tmp_path / "a.tar", DEFAULT_LIMITS).listing()


def test_a_tar_header_with_a_negative_size_does_not_hang(tmp_path: Path) -> None:
    info, _ = member("1.png")
    header = bytearray(info.tobuf())
    header[124:136] = b"\xff" * 4 + struct.pack(">q", -1024)  # base-256, as GNU tar writes
    header[148:156] = b" " * 8
    header[148:155] = b"%06o\0" % sum(header)
    (tmp_path / "a.tar").write_bytes(bytes(header) + bytes(4096))
    with pytest.raises(UnreadableSourceError, match="not a whole tar"):
        TarFiles(tmp_path / "a.tar", DEFAULT_LIMITS).listing()


def test_names_that_are_not_text_are_made_printable(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(tar_bytes(member("a\nb.png", b"x"), member("\udcff.png")))
    tree = TarFiles(tmp_path / "a.tar", DEFAULT_LIMITS)
    names = list(tree.listing().files)
    assert names == ["a\N{REPLACEMENT CHARACTER}b.png", "?.png"]
    assert dict(tree.read(names))[names[0]] == b"x"

"""What a hostile archive or picture gets: a named refusal, and nothing left behind."""

import io
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.artifacts import keys
from shared.jobs.submit import enqueue
from shared.records import catalogs, jobs
from shared.schemas.catalogs import CatalogRequest
from shared.schemas.jobs import IngestSpec, JobRecord, JobState, UploadSource
from tests.fixtures.rows import a_site
from worker import attempt
from worker.jobs.ingest import ingest_garments
from worker.runtime import Runtime

pytestmark = pytest.mark.timeout(120)

PAYLOAD = b"<html><script>alert(1)</script></html>"


def picture(seed: int = 1, side: int = 40, kind: str = "PNG") -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (side, side, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def pixel_bomb() -> bytes:
    """A PNG of a few kilobytes that says it is 60,000 pixels wide and high."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(60_001) * 64, 9)
    start = b"\x89PNG\r\n\x1a\n"
    return start + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(member: tarfile.TarInfo, content: bytes = b"") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def linked(name: str, target: str, *, hard: bool = False) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = tarfile.LNKTYPE if hard else tarfile.SYMTYPE
    member.linkname = target
    return member


@pytest.fixture
def site(runtime: Runtime) -> str:
    return a_site(runtime.records, "uploader")


@pytest.fixture
def catalog_id(runtime: Runtime, site: str) -> str:
    with runtime.records.transaction() as tx:
        return catalogs.create(tx, site, CatalogRequest(name="target")).id


def taken(runtime: Runtime, site: str, catalog_id: str, name: str, content: bytes) -> JobRecord:
    """Upload a file and run its job as a worker does."""
    runtime.store.put(keys.upload("upl_1"), content)
    source = UploadSource(artifact=keys.upload("upl_1"), name=name)
    with runtime.records.transaction() as tx:
        job = enqueue(tx, site, IngestSpec(catalog_id=catalog_id, source=source))
    attempt.run(runtime, job.id, ingest_garments)
    with runtime.records.reading() as tx:
        return jobs.get(tx, job.id)


def garments_of(runtime: Runtime, site: str, catalog_id: str) -> int:
    with runtime.records.reading() as tx:
        return catalogs.get(tx, site, catalog_id).garments


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("bomb.zip", zipped({"dress/a.png": bytes(300 * 2**20)})),
        ("up.zip", zipped({"../../etc/cron.d/a.png": picture()})),
        ("root.zip", zipped({"/etc/a.png": picture()})),
        ("up.tar", tarred(tarfile.TarInfo("../a.png"), picture())),
        ("cut.zip", zipped({"dress/a.png": picture()})[:-40]),
    ],
    ids=["zip bomb", "climbing zip", "absolute zip", "climbing tar", "cut zip"],
)
def test_a_hostile_archive_fails_as_a_whole(
    runtime: Runtime, site: str, catalog_id: str, tmp_path: Path, name: str, content: bytes
) -> None:
    before = sorted(path for path in tmp_path.parent.iterdir() if path != tmp_path)
    done = taken(runtime, site, catalog_id, name, content)
    assert done.state is JobState.FAILED
    assert done.error is not None
    assert done.error["reason"] in {"unreadable_source", "too_large"}
    assert name in done.error["message"]
    assert garments_of(runtime, site, catalog_id) == 0
    assert sorted(path for path in tmp_path.parent.iterdir() if path != tmp_path) == before


@pytest.mark.parametrize(
    "content",
    [
        tarred(linked("dress/a.png", "/etc/passwd")),
        tarred(linked("dress/a.png", "../../secret", hard=True)),
        zipped({"dress/inner.zip": zipped({"a.png": picture()})}),
        zipped({"dress/a.png": pixel_bomb()}),
        zipped({"dress/a.png": picture()[:-200]}),
        zipped({"dress/a.png": PAYLOAD}),
        zipped({"dress/a.svg": b"<svg onload='alert(1)' xmlns='http://www.w3.org/2000/svg'/>"}),
        zipped({"dress/a.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"}),
    ],
    ids=["symlink", "hard link", "nested zip", "pixel bomb", "truncated", "html", "svg", "eps"],
)
def test_what_is_no_picture_is_rejected_by_name_and_its_neighbour_taken_in(
    runtime: Runtime, site: str, catalog_id: str, content: bytes
) -> None:
    good = io.BytesIO(content)
    if zipfile.is_zipfile(good):
        name = "mixed.zip"
        with zipfile.ZipFile(good, "a") as archive:
            archive.writestr("dress/good.png", picture(2))
    else:
        name = "mixed.tar"
        good.seek(0)
        with tarfile.open(fileobj=good, mode="a") as archive:
            member = tarfile.TarInfo("dress/good.png")
            member.size = len(picture(2))
            archive.addfile(member, io.BytesIO(picture(2)))
    done = taken(runtime, site, catalog_id, name, good.getvalue())
    assert done.state is JobState.SUCCEEDED, done.error
    assert done.result is not None
    assert garments_of(runtime, site, catalog_id) == 1
    assert "dress/" in str(done.result)


def test_of_a_polyglot_only_the_pixels_are_kept(
    runtime: Runtime, site: str, catalog_id: str
) -> None:
    """A picture that is a page or a program as well: what is stored is raw pixels."""
    evil = picture(3, kind="GIF") + PAYLOAD + zipped({"run.sh": b"rm"})
    done = taken(runtime, site, catalog_id, "poly.zip", zipped({"dress/a.gif": evil}))
    assert done.state is JobState.SUCCEEDED, done.error
    kept = [key for key in runtime.store.keys("") if not key.startswith("uploads/")]
    assert kept
    for key in kept:
        assert b"<script>" not in runtime.store.read(key)
        assert b"run.sh" not in runtime.store.read(key)

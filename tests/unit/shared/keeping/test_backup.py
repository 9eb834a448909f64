import tarfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import URL

from shared.artifacts import ArtifactStore, keys
from shared.artifacts.local import LocalArtifacts
from shared.errors import BackupError
from shared.jobs import lifecycle
from shared.keeping.backup import Manifest, back_up
from shared.keeping.checked import CheckedStore
from shared.keeping.restore import restore
from shared.keeping.verifying import Verifier
from shared.records import Records, artifacts, designs, jobs, migrate, portable, sites
from shared.records.tables import Base
from shared.settings import Settings
from tests.fixtures.postgres import ON_BOTH, new_database
from tests.fixtures.rows import a_site
from tests.fixtures.shop import LEASE, Shop, add_designs, design_spec, running


@contextmanager
def elsewhere(folder: Path, url: URL | None = None) -> Iterator[tuple[Records, CheckedStore]]:
    """Yield an empty database and store."""
    home = Settings(home=folder)
    with closing(Records(url or home.database)) as records:
        yield (
            records,
            CheckedStore(LocalArtifacts(folder / "artifacts"), records, cache=folder / "cache"),
        )


def rows_of(records: Records) -> dict[str, list[tuple[object, ...]]]:
    """Return all rows of all tables, as the code reads them."""
    with records.reading() as tx:
        return {
            name: sorted((tuple(row) for row in tx.session.execute(table.select())), key=repr)
            for name, table in Base.metadata.tables.items()
            if name != "artifact_holds"
        }


def require_same(records: Records, store: CheckedStore, shop: Shop, inner: ArtifactStore) -> None:
    assert list(Verifier(records, store).findings()) == []
    with records.reading() as tx:
        place = designs.get(tx, shop.site_id, shop.design_ids[2])
    assert store.read(place.artifact) == inner.read(place.artifact)


@ON_BOTH
@pytest.mark.parametrize("folder", [True, False])
def test_a_restored_copy_holds_every_row_and_every_byte(
    records: Records, store: CheckedStore, inner: ArtifactStore, shop: Shop, tmp_path: Path,
    folder: bool,  # noqa: FBT001 - pytest passes by name
) -> None:  # fmt: skip
    with records.transaction() as tx:
        running(tx, shop, design_spec(shop, seed=5))
    target = tmp_path / "copy"
    made = back_up(records, store, target, folder=folder)
    assert made.missing == ()
    assert target.is_dir() is folder
    with elsewhere(tmp_path / "other") as (new, copy):
        restore(new, copy, target)
        assert rows_of(new) == rows_of(records)
        assert migrate.differences(new) == []
        require_same(new, copy, shop, inner)


def test_a_copy_of_sqlite_goes_into_postgresql_and_back(
    records: Records, store: CheckedStore, inner: ArtifactStore, shop: Shop, tmp_path: Path,
    postgres: URL,
) -> None:  # fmt: skip
    back_up(records, store, tmp_path / "a.tar")
    with new_database(postgres) as url, elsewhere(tmp_path / "pg", url) as (new, copy):
        restore(new, copy, tmp_path / "a.tar")
        assert rows_of(new) == rows_of(records)
        require_same(new, copy, shop, inner)
        back_up(new, copy, tmp_path / "b.tar")
    with elsewhere(tmp_path / "lite") as (again, last):
        restore(again, last, tmp_path / "b.tar")
        assert rows_of(again) == rows_of(records)


def test_a_backup_that_is_made_while_others_write_and_erase_is_of_one_moment(
    records: Records, store: CheckedStore, inner: ArtifactStore, shop: Shop, tmp_path: Path
) -> None:
    over = threading.Event()
    made: list[int] = []

    def write() -> None:
        while not over.is_set():
            with records.transaction() as tx:
                add_designs(tx, inner, shop, count=2)
            made.append(1)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        copies = [back_up(records, store, tmp_path / f"{number}.tar") for number in range(3)]
    finally:
        over.set()
        writer.join()
    assert made
    assert all(copy.missing == () for copy in copies)
    for number in range(3):
        with elsewhere(tmp_path / str(number)) as (new, copy):
            restore(new, copy, tmp_path / f"{number}.tar")
            assert list(Verifier(new, copy).findings()) == []


class Erasing(LocalArtifacts):
    """A store from which a report is erased while it is copied."""

    def __init__(self, folder: Path, records: Records, key: str) -> None:
        super().__init__(folder)
        self._records, self._key, self._done = records, key, False

    def fetch(self, key: str, cache: Path) -> Path:
        if not self._done:
            self._done = True
            from sqlalchemy import delete

            from shared.records.tables import ReportRow

            with self._records.transaction() as tx:
                tx.session.execute(delete(ReportRow))
            self.delete(self._key)
        return super().fetch(key, cache)


def test_what_is_erased_meanwhile_is_neither_in_the_rows_nor_put_back(
    settings: Settings, records: Records, shop: Shop, tmp_path: Path
) -> None:
    assert settings.artifact_folder is not None
    page = keys.report_file(shop.report_id, "report.html")
    store = Erasing(settings.artifact_folder, records, page)
    made = back_up(records, store, tmp_path / "a.tar")
    assert made.missing == ()
    assert made.rows["trend_reports"] == 0
    with elsewhere(tmp_path / "other") as (new, copy):
        restore(new, copy, tmp_path / "a.tar")
        assert list(copy.keys("reports/")) == []
        assert list(Verifier(new, copy).findings()) == []


def test_what_was_lost_before_is_told_of_and_the_rest_is_copied(
    records: Records, store: CheckedStore, inner: ArtifactStore, shop: Shop, tmp_path: Path
) -> None:
    page = keys.report_file(shop.report_id, "report.html")
    inner.delete(page)
    made = back_up(records, store, tmp_path / "a.tar")
    assert made.missing == (page,)
    assert len(made.artifacts) > 10


@pytest.mark.usefixtures("shop")
def test_no_backup_takes_the_place_of_another_and_a_failed_one_leaves_nothing(
    records: Records, store: CheckedStore, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    target = tmp_path / "a.tar"
    target.write_bytes(b"something dear")
    with pytest.raises(BackupError, match="there already"):
        back_up(records, store, target)
    with pytest.raises(BackupError, match="no folder"):
        back_up(records, store, tmp_path / "nowhere" / "a.tar")

    def break_down(*_: object) -> dict[str, int]:
        raise RuntimeError("power cut")

    monkeypatch.setattr(portable, "export", break_down)
    with pytest.raises(RuntimeError, match="power cut"):
        back_up(records, store, tmp_path / "b.tar")
    assert [path.name for path in tmp_path.glob("b.tar*")] == []
    with records.reading() as tx:
        assert not artifacts.is_held(tx)


@pytest.mark.usefixtures("shop")
def test_nothing_is_restored_over_what_is_there_unless_forced(
    records: Records, store: CheckedStore, tmp_path: Path
) -> None:
    back_up(records, store, tmp_path / "a.tar")
    with elsewhere(tmp_path / "other") as (new, copy):
        migrate.upgrade(new)
        a_site(new, "there already")
        with pytest.raises(BackupError, match="--force"):
            restore(new, copy, tmp_path / "a.tar")
        with new.reading() as tx:
            assert [one.name for one in sites.every(tx)] == ["there already"]
        restore(new, copy, tmp_path / "a.tar", force=True)
        assert rows_of(new) == rows_of(records)
    with elsewhere(tmp_path / "third") as (new, copy):
        copy.inner.put("designs/pack", b"x")
        with pytest.raises(BackupError, match="--force"):
            restore(new, copy, tmp_path / "a.tar")


def test_a_backup_that_was_cut_short_or_changed_is_refused_and_the_database_stays(
    records: Records, store: CheckedStore, shop: Shop, tmp_path: Path
) -> None:
    target, page = tmp_path / "copy", keys.report_file(shop.report_id, "report.html")
    back_up(records, store, target, folder=True)
    whole = (target / "artifacts" / page).read_bytes()
    (target / "artifacts" / page).write_bytes(b"changed")
    require_refused(target, tmp_path / "1", match="report.html")
    (target / "artifacts" / page).write_bytes(whole)
    (target / "manifest.json").rename(tmp_path / "manifest.json")
    require_refused(target, tmp_path / "2", match="cut short")
    (target / "toile-backup.json").write_text('{"format": 2, "toile": "9", "made_at": "x"}')
    require_refused(target, tmp_path / "3", match="header")
    back_up(records, store, tmp_path / "a.tar")
    cut = (tmp_path / "a.tar").read_bytes()[:-20_000]  # a tar ends with up to 10,240 empty bytes
    (tmp_path / "a.tar").write_bytes(cut)
    require_refused(tmp_path / "a.tar", tmp_path / "4", match="cut short")
    require_refused(tmp_path / "nowhere", tmp_path / "5", match="no backup at")


def require_refused(source: Path, folder: Path, *, match: str) -> None:
    with elsewhere(folder) as (new, copy):
        with pytest.raises(BackupError, match=match):
            restore(new, copy, source)
        assert portable.is_empty(new)


def test_a_key_that_leads_out_of_the_store_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "a.tar"
    with tarfile.open(target, "w") as tar:
        for name, data in (
            ("toile-backup.json",
             b'{"format": 1, "toile": "0", "made_at": "2026-01-01T00:00:00Z"}'),
            ("artifacts/designs/../../../etc/passwd", b"x"),
        ):  # fmt: skip
            from io import BytesIO

            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, BytesIO(data))
    require_refused(target, tmp_path / "other", match="impossible key")


def test_a_job_that_ran_goes_on_in_the_copy(
    records: Records, store: CheckedStore, shop: Shop, tmp_path: Path
) -> None:
    with records.transaction() as tx:
        held = running(tx, shop, design_spec(shop, seed=5))
    back_up(records, store, tmp_path / "a.tar")
    with elsewhere(tmp_path / "other") as (new, copy):
        restore(new, copy, tmp_path / "a.tar")
        with new.transaction() as tx:
            job = jobs.get(tx, held.id)
            assert (job.state, job.fence) == (held.state, held.fence)
            assert lifecycle.still_held(tx, [job], lease=LEASE) == {job.id: False}


@pytest.mark.usefixtures("shop")
def test_the_manifest_names_what_is_in_the_backup(
    records: Records, store: CheckedStore, inner: ArtifactStore, tmp_path: Path
) -> None:
    back_up(records, store, tmp_path / "copy", folder=True)
    told = Manifest.model_validate_json((tmp_path / "copy" / "manifest.json").read_bytes())
    assert told.revision == migrate.newest()
    assert told.rows["designs"] == 8
    assert {one.key for one in told.artifacts} == set(inner.keys(""))
    assert (tmp_path / "copy").stat().st_mode & 0o077 == 0

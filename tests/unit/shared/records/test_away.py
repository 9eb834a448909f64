"""A database that is moved, locked or closed for writing accepts nothing, and is found again."""

import os
import sqlite3
from pathlib import Path

import pytest

from shared.errors import DatabaseUnavailableError
from shared.records import Records, engine, sites
from shared.settings import Settings
from tests.fixtures.rows import a_site


def names(records: Records) -> list[str]:
    with records.reading() as tx:
        return [one.name for one in sites.every(tx)]


def file_of(settings: Settings) -> Path:
    return Path(str(settings.database.database))


def test_a_database_that_was_moved_away_takes_nothing_and_no_empty_one_is_made(
    records: Records, settings: Settings
) -> None:
    a_site(records, "before")
    file = file_of(settings)
    file.rename(file.with_name("moved"))
    for _ in range(2):
        with pytest.raises(DatabaseUnavailableError, match="gone"):
            a_site(records, "into nowhere")
        with pytest.raises(DatabaseUnavailableError, match="gone"):
            names(records)
    assert not file.exists()
    file.with_name("moved").rename(file)
    a_site(records, "after")
    assert names(records) == ["before", "after"]


def test_a_database_that_was_replaced_is_read_anew(
    records: Records, settings: Settings, tmp_path: Path
) -> None:
    a_site(records, "before")
    file = file_of(settings)
    with sqlite3.connect(file) as own, sqlite3.connect(tmp_path / "copy") as copy:
        own.backup(copy)
    a_site(records, "not in the copy")
    records.close()  # so that nobody has the log of the old one open
    for name in ("-wal", "-shm"):
        file.with_name(file.name + name).unlink(missing_ok=True)
    (tmp_path / "copy").replace(file)
    assert names(records) == ["before"]


@pytest.mark.usefixtures("records")
def test_a_database_that_another_program_holds_is_told_and_found_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_BUSY_SECONDS", 0.2)
    impatient = Records(settings.database)
    held = sqlite3.connect(file_of(settings), isolation_level=None)
    held.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseUnavailableError, match="locked"):
        a_site(impatient, "in the way")
    assert names(impatient) == []
    held.execute("ROLLBACK")
    held.close()
    a_site(impatient, "after")
    impatient.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes to files that are closed for writing")
def test_a_database_that_may_only_be_read_takes_nothing(
    records: Records, settings: Settings
) -> None:
    a_site(records, "before")
    records.close()
    file = file_of(settings)
    file.chmod(0o400)
    with pytest.raises(DatabaseUnavailableError):
        a_site(records, "refused")
    file.chmod(0o600)
    assert names(records) == ["before"]


def test_a_folder_that_takes_no_lock_file_is_a_database_that_is_away(
    records: Records, settings: Settings
) -> None:
    lock = file_of(settings).with_name(f"{file_of(settings).name}-next")
    lock.unlink(missing_ok=True)
    lock.mkdir()
    with pytest.raises(DatabaseUnavailableError, match="lock file"):
        a_site(records, "refused")
    lock.rmdir()
    a_site(records, "after")

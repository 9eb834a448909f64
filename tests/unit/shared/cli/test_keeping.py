import json
from contextlib import closing
from pathlib import Path

import pytest

from shared.artifacts import open_store
from shared.records import Records, sites
from shared.settings import Settings
from tests.fixtures.shop import Shop, fill_shop
from tests.fixtures.toile import Toile


@pytest.fixture
def shop(own: Settings, tables: None) -> Shop:  # noqa: ARG001 - the tables must be there
    with closing(Records(own.database)) as records:
        return fill_shop(records, open_store(own), "shop")


@pytest.mark.usefixtures("own")
def test_a_backup_is_made_put_back_and_verified(
    toile: Toile, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert toile("verify").code == 0
    assert "written down" in toile("verify").out
    assert toile("verify", "--adopt").out.startswith("All ")
    made = toile("backup", tmp_path / "a.tar", "--json")
    assert json.loads(made.out)["missing"] == []
    refused = toile("restore", tmp_path / "a.tar")
    assert (refused.code, "--force" in refused.err) == (1, True)
    monkeypatch.setenv("TOILE_HOME", str(tmp_path / "new"))
    assert toile("restore", tmp_path / "a.tar").code == 0
    assert toile("verify").out.startswith("All ")
    page = next((tmp_path / "new" / "artifacts" / "reports").rglob("report.html"))
    page.write_bytes(b"damaged")
    bad = toile("verify")
    assert (bad.code, "damaged" in bad.out, shop.report_id in bad.out) == (1, True, True)
    assert toile("verify", "--quick").code == 0
    page.unlink()
    assert toile("verify", "--quick").code == 1
    told = json.loads(toile("verify", "--json").out)
    assert [one["fault"] for one in told["findings"]] == ["missing"]


@pytest.mark.usefixtures("shop")
def test_a_backup_into_a_folder_tells_what_was_lost_and_ends_with_1(
    toile: Toile, own: Settings, tmp_path: Path
) -> None:
    assert own.artifact_folder is not None
    next((own.artifact_folder / "reports").rglob("report.html")).unlink()
    made = toile("backup", f"{tmp_path}/copy/")
    assert (made.code, "missing" in made.out) == (1, True)
    assert (tmp_path / "copy" / "manifest.json").is_file()


@pytest.mark.usefixtures("shop")
def test_orphans_are_listed_and_removed_when_asked(
    toile: Toile, own: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_store(own).put("designs/pack_lost", b"lost")
    assert "There are 0 orphans" in toile("orphans").out
    monkeypatch.setenv("TOILE_ORPHAN_SECONDS", "0.001")
    monkeypatch.setenv("TOILE_LEASE_SECONDS", "0.002")
    monkeypatch.setenv("TOILE_HEARTBEAT_SECONDS", "0.001")
    assert "designs/pack_lost" in toile("orphans").out
    assert [one["key"] for one in json.loads(toile("orphans", "--json").out)] == [
        "designs/pack_lost"
    ]
    assert "Removed 1 orphans" in toile("orphans", "--delete").out
    assert not open_store(own).exists("designs/pack_lost")


@pytest.mark.usefixtures("shop")
def test_retention_tells_what_would_go_and_a_site_has_its_own(toile: Toile, own: Settings) -> None:
    assert toile("retention").out.startswith("Would go: 0 jobs with 0 designs")
    assert "for 30 days" in toile("site", "retention", "shop", "--designs", 30).out
    with closing(Records(own.database)) as records, records.reading() as tx:
        found = sites.by_name(tx, "shop")
        assert found is not None
        assert found.design_retention_days == 30
    assert toile("site", "retention", "shop", "--designs", "long").code == 2
    assert json.loads(toile("retention", "--delete", "--json").out)["designs"] == 0

import pytest

from shared.artifacts import ArtifactStore, keys
from shared.keeping.checked import CheckedStore
from shared.keeping.verifying import Fault, Verifier
from shared.records import Records, artifacts, designs
from tests.fixtures.postgres import ON_BOTH
from tests.fixtures.shop import Shop


def faults(records: Records, store: ArtifactStore, *, quick: bool = False) -> dict[str, Fault]:
    return {one.key: one.fault for one in Verifier(records, store, quick=quick).findings()}


@pytest.mark.usefixtures("shop")
def test_a_whole_shop_has_no_findings_and_all_is_looked_at(
    records: Records, store: CheckedStore, inner: ArtifactStore
) -> None:
    looked: list[int] = []
    verifier = Verifier(records, store, on_progress=looked.append)
    assert list(verifier.findings()) == []
    assert verifier.looked_at == len(list(inner.keys(""))) == looked[-1]


@ON_BOTH
def test_what_is_lost_or_damaged_is_named(
    records: Records, store: CheckedStore, inner: ArtifactStore, shop: Shop
) -> None:
    with records.reading() as tx:
        design = designs.get(tx, shop.site_id, shop.design_ids[0]).artifact
    grid = keys.release_file(shop.release_id, "grid.png")
    page = keys.report_file(shop.report_id, "report.html")
    shard = next(iter(inner.keys(f"catalogs/{shop.catalog_id}/shards/")))
    inner.put(design, inner.read(design)[:-1] + b"!")
    inner.put(shard, inner.read(shard)[:-1] + b"\x00\x00")
    inner.put(grid, b"not the grid")
    inner.delete(page)
    assert faults(records, store) == {
        design: Fault.DAMAGED, shard: Fault.DAMAGED, grid: Fault.DAMAGED, page: Fault.MISSING,
    }  # fmt: skip
    assert faults(records, store, quick=True) == {page: Fault.MISSING}


def test_a_release_whose_files_are_not_those_of_its_hash_is_damaged(
    records: Records, store: CheckedStore, shop: Shop
) -> None:
    store.put(keys.release_file(shop.release_id, "grid.png"), b"put by another hand")
    assert faults(records, store) == {keys.release(shop.release_id): Fault.DAMAGED}


def test_hashes_that_were_never_written_down_are_told_of_and_can_be(
    records: Records, store: CheckedStore, shop: Shop
) -> None:
    page = keys.report_file(shop.report_id, "report.html")
    with records.transaction() as tx:
        artifacts.forget(tx, [page])
    assert faults(records, store) == {page: Fault.UNKNOWN}
    assert list(Verifier(records, store, adopt=True).findings()) == []
    with records.reading() as tx:
        assert artifacts.find(tx, page) is not None
    assert faults(records, store) == {}


def test_a_release_whose_folder_is_gone_is_missing(
    records: Records, store: CheckedStore, shop: Shop
) -> None:
    for key in list(store.keys("releases/")):
        store.delete(key)
    assert faults(records, store) == {keys.release(shop.release_id): Fault.MISSING}

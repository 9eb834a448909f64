"""Garment indexes over real rows and shards, with an encoder of a few steps."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from shared.artifacts import keys
from shared.demo.drawn import write_archive
from shared.errors import TasteCorruptError
from shared.jobs.submit import enqueue
from shared.records import Records, catalogs, garments, indexes, models
from shared.records.indexes import Index
from shared.schemas.catalogs import CatalogRequest
from shared.schemas.jobs import Budget, IngestSpec, TrainingSpec, UploadSource
from shared.settings import Settings
from shared.taste import index as garment_index
from shared.taste import space as feature_space
from shared.taste.gallery import hang
from shared.taste.ranking import nearest
from tests.fixtures.homes import copied_home, new_home
from tests.fixtures.rows import a_site
from worker import attempt
from worker.gan.checkpoint import unpack
from worker.jobs.eyes import follow_index, open_sight
from worker.jobs.indexing import copy_distance, index_catalog, refresh_stale
from worker.jobs.ingest import ingest_garments
from worker.runtime import Runtime

pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True)
class Indexed:
    """A home with a catalog of drawn garments and its index."""

    folder: Path
    site: str
    catalog: str


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory, valkey_url: str) -> Indexed:
    """Made once: to learn an encoder takes longer than what the tests ask of it."""
    folder = tmp_path_factory.mktemp("indexed")
    with new_home(folder, valkey_url) as runtime:
        site = a_site(runtime.records)
        catalog = a_catalog(runtime, site, "drawn")
        add(runtime, site, catalog, tmp_path_factory.mktemp("drawn"), count=160, seed=1)
        learn(runtime, site, catalog)
    return Indexed(folder, site, catalog)


@pytest.fixture
def records(settings: Settings, indexed: Indexed, tmp_path: Path) -> Iterator[Records]:
    with copied_home(indexed.folder, tmp_path, settings) as opened:
        yield opened


@pytest.fixture
def site(indexed: Indexed) -> str:
    return indexed.site


@pytest.fixture
def catalog_id(indexed: Indexed) -> str:
    return indexed.catalog


def a_catalog(runtime: Runtime, site: str, name: str) -> str:
    with runtime.records.transaction() as tx:
        return catalogs.create(tx, site, CatalogRequest(name=name)).id


def add(
    runtime: Runtime, site: str, catalog_id: str, folder: Path, *, count: int, seed: int
) -> None:
    path = folder / f"{seed}.zip"
    write_archive(path, count=count, seed=seed, end=date(2026, 6, 30))
    key = keys.upload(f"upl_{seed}")
    runtime.store.put(key, path)
    source = UploadSource(artifact=key, name=path.name)
    with runtime.records.transaction() as tx:
        job = enqueue(tx, site, IngestSpec(catalog_id=catalog_id, source=source))
    attempt.run(runtime, job.id, ingest_garments)


def learn(runtime: Runtime, site: str, catalog_id: str) -> None:
    spec = TrainingSpec(
        catalog_id=catalog_id, catalog_version=1, model="m", size=16, seed=0, heldout=0.1,
        budget=Budget(images=64), attributes=("category",),
    )  # fmt: skip
    built = index_catalog(runtime, spec, {}, steps=30)
    index_id = built.store(runtime.store)
    with runtime.records.transaction() as tx:
        built.publish(tx, site, index_id)


def newest(runtime: Runtime, site: str, catalog_id: str) -> Index:
    with runtime.records.reading() as tx:
        found = indexes.newest(tx, site, catalog_id)
    assert found is not None
    return found


def test_an_index_holds_each_garment_with_its_labels_and_colours(
    runtime: Runtime, site: str, catalog_id: str
) -> None:
    index = newest(runtime, site, catalog_id)
    items = garment_index.read(runtime.store.read(f"{index.artifact}garments.npz"))
    with runtime.records.reading() as tx:
        page = garments.page(tx, catalog_id, limit=200).items
    assert set(items.ids) == {garment.id for garment in page}
    for garment in page:
        place = items.place(garment.id)
        told = items.labels_of(place)
        assert told["category"] == garment.attributes["category"]
        assert not np.isnan(items.colours[place, 0]).any()


def test_garments_that_look_alike_are_near_in_the_index(
    runtime: Runtime, site: str, catalog_id: str
) -> None:
    index = newest(runtime, site, catalog_id)
    items = garment_index.read(runtime.store.read(f"{index.artifact}garments.npz"))
    space = feature_space.read(runtime.store.read(f"{index.artifact}space.npz"))
    assert hang(items, space).features.shape[0] == len(items)
    codes = items.codes("category")
    rest = items.take(np.arange(20, len(items)))
    hits = [
        codes[20 + int(nearest(rest, items.take(np.array([row])), 1)[0].item())] == codes[row]
        for row in range(20)
    ]
    assert sum(hits) >= 10  # by chance it would be two or three of eight categories


def test_a_grown_catalog_is_indexed_again_without_looking_at_old_garments_twice(
    runtime: Runtime, site: str, catalog_id: str, tmp_path: Path
) -> None:
    first = newest(runtime, site, catalog_id)
    assert refresh_stale(runtime) == 0
    add(runtime, site, catalog_id, tmp_path, count=40, seed=2)
    assert refresh_stale(runtime) == 1
    second = newest(runtime, site, catalog_id)
    assert (second.encoder, second.catalog_version) == (first.encoder, 2)
    assert second.garments > first.garments
    before, after = (
        garment_index.read(runtime.store.read(f"{one.artifact}garments.npz"))
        for one in (first, second)
    )
    assert after.ids[: len(before)] == before.ids
    np.testing.assert_array_equal(after.embeddings[: len(before)], before.embeddings)
    novelty = unpack(runtime.store.read(f"{second.artifact}novelty.npz"))
    assert novelty["plain"].shape == (second.garments, 128)
    assert refresh_stale(runtime) == 0


def released(runtime: Runtime, site: str, catalog_id: str) -> str:
    """Add the row of a release of the catalog; its files are not needed to see."""
    values = {
        "job_id": "job_1", "catalog_id": catalog_id, "catalog_version": 1, "size": 16,
        "channels": 3, "vocabulary": {}, "card": {}, "artifact": "releases/none/",
        "sha256": "0" * 64,
    }  # fmt: skip
    with runtime.records.transaction() as tx:
        return models.publish(tx, site, model="m", release_id="rel_1", values=values).id


def test_a_release_in_use_is_seen_with_the_garments_that_were_added_since(
    runtime: Runtime, site: str, catalog_id: str, tmp_path: Path
) -> None:
    release_id = released(runtime, site, catalog_id)
    first = open_sight(runtime, release_id)
    assert first is not None
    assert follow_index(runtime, release_id, first) is first
    add(runtime, site, catalog_id, tmp_path, count=40, seed=2)
    assert follow_index(runtime, release_id, first) is first, "it is not indexed yet"
    refresh_stale(runtime)
    second = follow_index(runtime, release_id, first)
    assert second is not None
    assert second.index == newest(runtime, site, catalog_id)
    assert len(second.gallery.items) > len(first.gallery.items)
    assert len(second.eye.plain.garments) == len(second.eye.learned.garments)
    assert len(second.eye.learned.garments) == second.index.garments
    assert second.networks is first.networks, "the encoder is the same: it is not compiled again"


def test_a_newer_index_that_is_damaged_leaves_the_older_one_in_use(
    runtime: Runtime, site: str, catalog_id: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    release_id = released(runtime, site, catalog_id)
    first = open_sight(runtime, release_id)
    add(runtime, site, catalog_id, tmp_path, count=40, seed=2)
    refresh_stale(runtime)
    runtime.store.put(f"{newest(runtime, site, catalog_id).artifact}garments.npz", b"damaged")
    assert follow_index(runtime, release_id, first) is first
    assert "is seen with the older" in caplog.text
    with pytest.raises(TasteCorruptError):
        follow_index(runtime, release_id, None)


def test_a_catalog_that_was_never_trained_on_has_nothing_to_refresh(
    runtime: Runtime, site: str, tmp_path: Path
) -> None:
    untrained = a_catalog(runtime, site, "untrained")
    add(runtime, site, untrained, tmp_path, count=40, seed=2)
    assert refresh_stale(runtime) == 0


def test_one_in_a_hundred_new_garments_is_as_near_as_a_copy() -> None:
    rng = np.random.default_rng(0)
    learned, held = (rng.normal(size=(n, 8)).astype(np.float32) for n in (4000, 2000))
    limit = copy_distance(held, learned)
    fresh = rng.normal(size=(2000, 8)).astype(np.float32)
    distances = np.sqrt(((fresh[:, None] - learned[None, ::4]) ** 2).sum(-1)).min(1)
    assert 0 < limit < float(np.quantile(distances, 0.1))

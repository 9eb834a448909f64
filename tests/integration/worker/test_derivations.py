"""Derivations over real rows and shards, with an index that no network made."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared import ids
from shared.artifacts import keys
from shared.demo import shapes
from shared.derivations import Derived, read
from shared.jobs.submit import enqueue
from shared.records import catalogs, derivations, garments, indexes
from shared.records.derivations import Derivation
from shared.records.indexes import Index
from shared.schemas.catalogs import CatalogRequest
from shared.schemas.jobs import IngestSpec, UploadSource
from shared.shoppers.files import GARMENTS
from shared.taste import Items
from shared.taste import index as garment_index
from tests.fixtures.rows import a_site
from worker import attempt
from worker.jobs.derivations import derive_stale
from worker.jobs.ingest import ingest_garments
from worker.pictures import patterns
from worker.runtime import Runtime

pytestmark = pytest.mark.timeout(300)

CATEGORIES = ("t-shirt", "dress", "coat", "trousers")


def derived_labels(
    runtime: Runtime, site_id: str, catalog_id: str, version: int
) -> tuple[Derivation, Derived] | None:
    with runtime.records.reading() as tx:
        found = derivations.newest(tx, site_id, catalog_id, version=version)
    return None if found is None else (found, read(runtime.store.read(found.artifact)))


@pytest.fixture
def site(runtime: Runtime) -> str:
    return a_site(runtime.records)


@pytest.fixture
def catalog_id(runtime: Runtime, site: str) -> str:
    with runtime.records.transaction() as tx:
        return catalogs.create(tx, site, CatalogRequest(name="drawn", image_size=160)).id


def add(
    runtime: Runtime,
    site: str,
    catalog_id: str,
    folder: Path,
    *,
    rows: range,
    header: str = "category",
) -> None:
    """Add drawn garments; every third has no category."""
    place = folder / f"from-{rows.start}"
    place.mkdir()
    lines = [f"image,{header},date"]
    for row in rows:
        rng = np.random.default_rng(row)
        pattern = ("plain", "striped")[row // 4 % 2]
        picture = shapes.draw(CATEGORIES[row % 4], pattern, "blue", rng, size=160)
        picture.save(place / f"{row:04d}.png")
        said = "" if row % 3 == 2 else CATEGORIES[row % 4]
        lines.append(f"{row:04d}.png,{said},{date(2026, 1, 1 + row % 28)}")
    (place / "labels.csv").write_text("\n".join(lines))
    archive = pack(place, folder / f"{rows.start}.zip")
    key = keys.upload(f"upl_{rows.start}")
    runtime.store.put(key, archive)
    source = UploadSource(artifact=key, name=archive.name)
    with runtime.records.transaction() as tx:
        job = enqueue(tx, site, IngestSpec(catalog_id=catalog_id, source=source))
    attempt.run(runtime, job.id, ingest_garments)


def pack(folder: Path, archive: Path) -> Path:
    import shutil

    return Path(shutil.make_archive(str(archive.with_suffix("")), "zip", folder))


def add_index(runtime: Runtime, site: str, catalog_id: str, *, turned: int = 0) -> Index:
    """Add an index in which garments of one drawn category look alike."""
    with runtime.records.reading() as tx:
        version = catalogs.get(tx, site, catalog_id).version
        seen = list(garments.described_up_to(tx, catalog_id, version))
        names = {
            one.id: int(one.name.rsplit("/", 1)[-1][:4])
            for one in garments.page(tx, catalog_id, limit=1000).items
        }
    axes = np.random.default_rng(5 + turned).normal(size=(4, 128))
    found = [garment_id for garment_id, *_ in sorted(seen, key=lambda one: names[one[0]])]
    embeddings = np.stack(
        [
            axes[names[one] % 4] + 0.6 * np.random.default_rng(names[one]).normal(size=128)
            for one in found
        ]
    )
    items = Items(
        ids=tuple(found),
        embeddings=embeddings.astype(np.float32),
        colours=np.full((len(found), 2, 3), np.nan, np.float32),
        labels=np.zeros((len(found), 0), np.int32),
        vocabulary={},
    )
    index_id = ids.new_id(ids.INDEX)
    runtime.store.put(keys.index_file(index_id, GARMENTS), garment_index.write(items))
    values = {
        "catalog_id": catalog_id, "catalog_version": version, "encoder": f"{turned:064d}",
        "garments": len(found), "artifact": keys.index(index_id),
    }  # fmt: skip
    with runtime.records.transaction() as tx:
        return indexes.publish(tx, site, index_id=index_id, values=values)


def derived(runtime: Runtime, site: str, catalog_id: str) -> tuple[Derivation, Derived]:
    found = derived_labels(runtime, site, catalog_id, 99)
    assert found is not None
    return found


def test_without_an_encoder_only_measured_labels_are_told_and_the_reason(
    runtime: Runtime, site: str, catalog_id: str, tmp_path: Path
) -> None:
    add(runtime, site, catalog_id, tmp_path, rows=range(40))
    assert derive_stale(runtime) == 1
    derivation, labels = derived(runtime, site, catalog_id)
    assert set(labels.columns) == {"pattern"}
    assert "no model was trained" in str(derivation.card.reason)
    assert derivation.card.styles == ()
    told = derivation.card.attributes["pattern"]
    assert (told.given, told.predicted, told.prediction) == (0, 0, None)
    assert told.measured > 20
    assert derivation.card.attributes["colour"].measured == 40
    assert derive_stale(runtime) == 0


def test_patterns_are_those_that_were_drawn(
    runtime: Runtime, site: str, catalog_id: str, tmp_path: Path
) -> None:
    add(runtime, site, catalog_id, tmp_path, rows=range(40))
    derive_stale(runtime)
    _, labels = derived(runtime, site, catalog_id)
    with runtime.records.reading() as tx:
        found = garments.page(tx, catalog_id, limit=100).items
    right = [
        told["pattern"].value == ("plain", "striped")[int(garment.name[-8:-4]) // 4 % 2]
        for garment in found
        if "pattern" in (told := labels.of(garment.id))
    ]
    assert len(right) > 20
    assert np.mean(right) > 0.85


def test_with_an_index_there_are_styles_and_missing_labels_are_filled(
    runtime: Runtime, site: str, catalog_id: str, tmp_path: Path
) -> None:
    add(runtime, site, catalog_id, tmp_path, rows=range(200))
    index = add_index(runtime, site, catalog_id)
    assert derive_stale(runtime) == 1
    derivation, labels = derived(runtime, site, catalog_id)
    assert derivation.index_id == index.id
    assert derivation.card.reason is None
    assert {style.number for style in derivation.card.styles} == {1, 2, 3, 4}
    for style in derivation.card.styles:
        assert style.traits["category"].share > 0.9
        for garment_id in style.typical:
            assert labels.of(garment_id)["style"].value == f"style {style.number}"
    told = derivation.card.attributes["category"]
    assert told.prediction is not None
    assert told.prediction.used
    assert told.predicted > 50
    assert told.given + told.predicted + told.unknown == 200
    with runtime.records.reading() as tx:
        found = garments.page(tx, catalog_id, limit=1000).items
    for garment in found:
        label = labels.of(garment.id).get("category")
        assert label is None or "category" not in garment.attributes
        if label is not None:
            assert (label.origin, label.value) == (
                "predicted", CATEGORIES[int(garment.name[-8:-4]) % 4],
            )  # fmt: skip


def test_a_grown_catalog_keeps_its_styles_and_looks_at_new_garments_only(
    runtime: Runtime,
    site: str,
    catalog_id: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add(runtime, site, catalog_id, tmp_path, rows=range(180))
    add_index(runtime, site, catalog_id)
    derive_stale(runtime)
    before, labels = derived(runtime, site, catalog_id)
    add(runtime, site, catalog_id, tmp_path, rows=range(180, 220))
    assert derive_stale(runtime) == 0  # the index has not caught up
    add_index(runtime, site, catalog_id, turned=1)
    looked: list[int] = []
    measure = patterns.measure_patterns

    def counting(pixels: np.ndarray) -> list[str | None]:
        looked.append(len(pixels))
        return measure(pixels)

    monkeypatch.setattr("worker.jobs.deriving.measure_patterns", counting)
    assert derive_stale(runtime) == 1
    after, grown = derived(runtime, site, catalog_id)
    assert sum(looked) == 40
    assert after.id != before.id
    assert len(grown.ids) == 220
    for garment_id in labels.ids:
        old, new = labels.of(garment_id), grown.of(garment_id)
        assert old.get("pattern") == new.get("pattern")
        assert old["style"].value == new["style"].value
    assert [style.since for style in after.card.styles] == [1, 1, 1, 1]
    assert derive_stale(runtime) == 0
    earlier = derived_labels(runtime, site, catalog_id, 1)
    assert earlier is not None
    assert earlier[0].id == before.id


def test_another_limit_is_another_derivation(
    runtime: Runtime, site: str, catalog_id: str, tmp_path: Path
) -> None:
    add(runtime, site, catalog_id, tmp_path, rows=range(20))
    assert derive_stale(runtime) == 1
    strict = runtime.settings.model_copy(update={"prediction_limit": 0.95})
    from dataclasses import replace

    assert derive_stale(replace(runtime, settings=strict)) == 1
    assert derive_stale(replace(runtime, settings=strict)) == 0


def test_patterns_that_a_shop_names_otherwise_are_left_to_it(
    runtime: Runtime, site: str, catalog_id: str, tmp_path: Path
) -> None:
    add(runtime, site, catalog_id, tmp_path, rows=range(30), header="pattern")
    derive_stale(runtime)
    derivation, labels = derived(runtime, site, catalog_id)
    assert "pattern" not in labels.columns
    told = derivation.card.attributes["pattern"]
    assert (told.given, told.measured, told.unknown) == (20, 0, 10)


def test_a_damaged_shard_of_one_catalog_does_not_stop_the_others(
    runtime: Runtime, site: str, catalog_id: str, tmp_path: Path
) -> None:
    add(runtime, site, catalog_id, tmp_path, rows=range(20))
    with runtime.records.transaction() as tx:
        other = catalogs.create(tx, site, CatalogRequest(name="other", image_size=160)).id
    add(runtime, site, other, tmp_path, rows=range(100, 120))
    with runtime.records.reading() as tx:
        (shard,) = catalogs.shards_up_to(tx, catalog_id, 1)
    runtime.store.delete(shard.artifact)
    assert derive_stale(runtime) == 1
    with runtime.records.reading() as tx:
        assert derivations.newest(tx, site, catalog_id) is None
        assert derivations.newest(tx, site, other) is not None


def test_colours_that_were_given_have_their_family_beside_them(
    runtime: Runtime, site: str, catalog_id: str, tmp_path: Path
) -> None:
    place = tmp_path / "named"
    place.mkdir()
    lines = ["image,category,colour"]
    for row in range(12):
        shade = (20, 30, 90) if row % 2 else (200, 30, 40)
        pixels = np.full((160, 160, 3), 255, np.uint8)
        pixels[40:120, 40:120] = shade
        pixels[row] = 254
        Image.fromarray(pixels).save(place / f"{row}.png")
        lines.append(f"{row}.png,square,{'midnight' if row % 2 else ''}")
    (place / "labels.csv").write_text("\n".join(lines))
    key = keys.upload("upl_named")
    runtime.store.put(key, pack(place, tmp_path / "named.zip"))
    with runtime.records.transaction() as tx:
        source = UploadSource(artifact=key, name="named.zip")
        job = enqueue(tx, site, IngestSpec(catalog_id=catalog_id, source=source))
    attempt.run(runtime, job.id, ingest_garments)
    derive_stale(runtime)
    derivation, labels = derived(runtime, site, catalog_id)
    families = [labels.of(name)["colour_family"].value for name in labels.ids]
    assert sorted(families) == ["navy"] * 6 + ["red"] * 6
    told = derivation.card.attributes["colour"]
    assert (told.given, told.measured) == (6, 6)

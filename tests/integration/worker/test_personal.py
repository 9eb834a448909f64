"""Designs for a shopper, from rows to rows: a real small index, a generator that dyes squares."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.artifacts import keys
from shared.colour import code_of, delta_e, hex_to_lab
from shared.demo.drawn import write_archive
from shared.jobs.submit import Terms, enqueue
from shared.records import (
    Records,
    catalogs,
    designs,
    indexes,
    jobs,
    models,
    preferences,
    priors,
    shoppers,
)
from shared.records.garments import page as garments_page
from shared.schemas.catalogs import CatalogRequest, Garment
from shared.schemas.designs import Design, ForShopper
from shared.schemas.jobs import (
    Budget,
    DesignSpec,
    IngestSpec,
    JobRecord,
    JobState,
    TrainingSpec,
    UploadSource,
)
from shared.schemas.shoppers import PreferenceRequest, Shopper
from shared.settings import Settings
from tests.fixtures.homes import copied_home, new_home
from tests.fixtures.painter import Dyer
from tests.fixtures.rows import a_site
from worker import attempt
from worker.jobs.designs import drain
from worker.jobs.eyes import open_sight
from worker.jobs.generators import Generators, Loaded
from worker.jobs.indexing import index_catalog
from worker.jobs.ingest import ingest_garments
from worker.jobs.priors import LEAST_SHOPPERS, learn_priors
from worker.runtime import Runtime

pytestmark = pytest.mark.timeout(300)


class Tailor(Dyer):
    """Makes squares of the colour asked for, wider or narrower by the latent."""

    size = 32

    def __init__(self, vocabulary: Mapping[str, tuple[str, ...]]) -> None:
        super().__init__()
        self.vocabulary = vocabulary

    def generate(
        self,
        seeds: Sequence[int],
        conditions: Sequence[Mapping[str, str]],
        *,
        temper: Sequence[float],  # noqa: ARG002 - the port's
        blends: Sequence[Sequence[tuple[int, float]]],  # noqa: ARG002 - the port's
    ) -> NDArray[np.uint8]:
        self.batches.append(len(seeds))
        pictures = np.full((len(seeds), 32, 32, 3), 255, np.uint8)
        for picture, condition, seed in zip(pictures, conditions, seeds, strict=True):
            code = condition.get("colour", "#808080")
            rows, columns = 12 + seed % 16, 12 + seed // 16 % 16
            picture[2:rows, 2:columns] = [int(code[at : at + 2], 16) for at in (1, 3, 5)]
        return pictures

    def complete(
        self, seeds: Sequence[int], conditions: Sequence[Mapping[str, str]]
    ) -> list[dict[str, str]]:
        return [dict(one) for _, one in zip(seeds, conditions, strict=True)]


@dataclass(frozen=True)
class Indexed:
    """A home with a catalog that has an index, and a release of it, whose files are not there."""

    folder: Path
    site: str
    release: str


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory, valkey_url: str) -> Indexed:
    """Made once: to learn an encoder takes longer than all of the tests."""
    folder = tmp_path_factory.mktemp("indexed")
    with new_home(folder, valkey_url) as runtime:
        site = a_site(runtime.records)
        return Indexed(folder, site, released(runtime, site, tmp_path_factory.mktemp("drawn")))


@pytest.fixture
def records(settings: Settings, indexed: Indexed, tmp_path: Path) -> Iterator[Records]:
    with copied_home(indexed.folder, tmp_path, settings) as opened:
        yield opened


@pytest.fixture
def site(indexed: Indexed) -> str:
    return indexed.site


@pytest.fixture
def release(indexed: Indexed) -> str:
    return indexed.release


def released(runtime: Runtime, site: str, folder: Path) -> str:
    with runtime.records.transaction() as tx:
        catalog_id = catalogs.create(tx, site, CatalogRequest(name="drawn")).id
    path = folder / "garments.zip"
    write_archive(path, count=240, seed=1, end=date(2026, 6, 30))
    runtime.store.put(keys.upload("upl_1"), path)
    source = UploadSource(artifact=keys.upload("upl_1"), name=path.name)
    with runtime.records.transaction() as tx:
        job = enqueue(tx, site, IngestSpec(catalog_id=catalog_id, source=source))
    attempt.run(runtime, job.id, ingest_garments)
    spec = TrainingSpec(
        catalog_id=catalog_id, catalog_version=1, model="m", size=32, seed=0,
        budget=Budget(images=64), attributes=("category",),
    )  # fmt: skip
    built = index_catalog(runtime, spec, {}, steps=40)
    index_id = built.store(runtime.store)
    values = {
        "job_id": job.id, "catalog_id": catalog_id, "catalog_version": 1, "size": 32,
        "channels": 3, "vocabulary": {"category": ["dress"]}, "card": {"slots": 2},
        "artifact": "releases/none/", "sha256": "0" * 64,
    }  # fmt: skip
    with runtime.records.transaction() as tx:
        built.publish(tx, site, index_id)
        return models.publish(tx, site, model="m", release_id="rel_" + job.id[4:], values=values).id


@pytest.fixture
def garments(runtime: Runtime, site: str, release: str) -> list[Garment]:
    with runtime.records.reading() as tx:
        catalog_id = models.release(tx, release, site_id=site).release.catalog_id
        return list(garments_page(tx, catalog_id, limit=200).items)


def say(runtime: Runtime, site: str, ref: str, *said: PreferenceRequest) -> Shopper:
    with runtime.records.transaction() as tx:
        shopper = shoppers.ensure(tx, site, ref)
        if said:
            preferences.record(tx, site, shopper, list(said))
    return shopper


def likes(garments: Sequence[Garment], colour: str, count: int) -> list[PreferenceRequest]:
    found = [one for one in garments if one.attributes.get("colour") == colour][:count]
    assert len(found) == count
    return [PreferenceRequest(kind="like", item=one.id) for one in found]


def designed(
    runtime: Runtime, site: str, release: str, shopper: Shopper, *, count: int = 6, seed: int = 3
) -> tuple[JobRecord, list[Design]]:
    spec = DesignSpec(
        release_id=release, count=count, condition={}, seed=seed, size=32, format="png",
        way=ForShopper(shopper_id=shopper.id, candidates=48),
    )  # fmt: skip
    with runtime.records.transaction() as tx:
        job = enqueue(tx, site, spec, terms=Terms(shopper_id=shopper.id))
    sight = open_sight(runtime, release)
    assert sight is not None
    tailor = Tailor(sight.gallery.items.vocabulary)
    drain(runtime, release, Generators(lambda _runtime, _release: Loaded(tailor, sight)))
    with runtime.records.reading() as tx:
        return jobs.get(tx, job.id), designs.of_job(tx, job.id)


def away(design: Design, colour: str) -> float:
    assert design.colours
    return float(delta_e(hex_to_lab(design.colours[0]), hex_to_lab(str(code_of(colour)))))


def test_designs_follow_the_colours_that_the_shopper_likes_and_say_why(
    runtime: Runtime, site: str, release: str, garments: list[Garment]
) -> None:
    likes_red = likes(garments, "red", 6)
    shopper = say(runtime, site, "c-1", *likes_red)
    job, made = designed(runtime, site, release, shopper)
    assert job.state is JobState.SUCCEEDED, job.error
    assert len(made) == 6
    assert sum(away(one, "red") < 25 for one in made) >= 4
    liked = {one.item for one in likes_red}
    for one in made:
        assert one.score is not None
        assert one.reasons
        assert {reason.item for reason in one.reasons} <= liked
    assert job.result is not None
    assert [one["score"] for one in job.result["designs"]] == [one.score for one in made]


def test_what_is_said_of_the_designs_sharpens_the_next_ones(
    runtime: Runtime, site: str, release: str
) -> None:
    shopper = say(runtime, site, "c-2")
    _, first = designed(runtime, site, release, shopper, count=8)
    kept = min(first, key=lambda one: away(one, "blue"))
    feedback = [
        PreferenceRequest(kind="like" if one.id == kept.id else "dislike", item=one.id)
        for one in first
    ]
    say(runtime, site, "c-2", *feedback)
    _, second = designed(runtime, site, release, shopper, count=8, seed=4)
    assert kept.colours
    before, after = (
        float(np.mean([away(one, str(kept.colours[0])) for one in made]))
        for made in (first, second)
    )
    assert after < before


def test_a_shoppers_designs_are_theirs_and_lie_in_a_file_of_their_own(
    runtime: Runtime, site: str, release: str, garments: list[Garment]
) -> None:
    shopper = say(runtime, site, "c-3", *likes(garments, "red", 3))
    _, made = designed(runtime, site, release, shopper, count=2)
    with runtime.records.reading() as tx:
        places = [designs.get(tx, site, one.id) for one in made]
    assert len({place.artifact for place in places}) == 1
    size = len(runtime.store.read(places[0].artifact))
    assert size == sum(place.length or 0 for place in places)


def test_a_prior_of_many_shoppers_is_learned_and_used(
    runtime: Runtime, site: str, release: str, garments: list[Garment]
) -> None:
    assert learn_priors(runtime) == 0
    for number in range(LEAST_SHOPPERS + 1):
        say(runtime, site, f"many-{number}", *likes(garments[number:], "red", 4))
    assert learn_priors(runtime) == 1
    assert learn_priors(runtime) == 0  # nobody said anything since
    with runtime.records.reading() as tx:
        (index,) = indexes.of_site(tx, site)
        kept = priors.find(tx, site, index.encoder)
    assert kept is not None
    assert kept.shoppers == LEAST_SHOPPERS + 1
    newcomer = say(runtime, site, "new")
    _, made = designed(runtime, site, release, newcomer, count=8)
    assert sum(away(one, "red") < 25 for one in made) >= 3


def test_a_release_without_an_index_cannot_design_for_a_shopper(
    runtime: Runtime, site: str, release: str
) -> None:
    shopper = say(runtime, site, "c-4")
    spec = DesignSpec(
        release_id=release, count=1, condition={}, seed=1, size=32, format="png",
        way=ForShopper(shopper_id=shopper.id, candidates=8),
    )  # fmt: skip
    plain = spec.model_copy(update={"way": DesignSpec.model_fields["way"].default})
    with runtime.records.transaction() as tx:
        theirs = enqueue(tx, site, spec, terms=Terms(shopper_id=shopper.id))
        anybodys = enqueue(tx, site, plain)
    tailor = Tailor({"category": ("dress",)})
    drain(runtime, release, Generators(lambda _runtime, _release: Loaded(tailor)))
    with runtime.records.reading() as tx:
        assert jobs.get(tx, theirs.id).reason == "conflict"
        assert jobs.get(tx, anybodys.id).state is JobState.SUCCEEDED

"""What a worker stores of a design: a picture that says what it is, and what it is found by."""

from shared.provenance.mark import creator_tool
from shared.provenance.opened import look
from shared.records import designs
from shared.schemas.designs import Design
from shared.schemas.jobs import JobRecord
from shared.schemas.provenance import MADE_BY_MODEL
from tests.fixtures.painter import Painter
from tests.fixtures.rows import a_design_job, a_release, a_site
from worker.jobs.designs import drain
from worker.jobs.generators import Generators, Loaded
from worker.runtime import Runtime


def stored(runtime: Runtime, job: JobRecord) -> list[tuple[Design, bytes]]:
    drain(runtime, str(job.release_id), Generators(lambda _runtime, _release: Loaded(Painter())))
    with runtime.records.reading() as tx:
        places = [designs.get(tx, job.site_id, one.id) for one in designs.of_job(tx, job.id)]
    return [
        (place.design, runtime.store.read_range(place.artifact, place.start, place.length or 0))
        for place in places
    ]


def test_a_stored_picture_says_what_it_is_and_what_makes_it_again(runtime: Runtime) -> None:
    site = a_site(runtime.records)
    release = a_release(runtime.records, site).id
    pairs = stored(runtime, a_design_job(runtime.records, site, release, count=2, seed=5))
    assert [design.seed for design, _ in pairs] == [5, 6]
    for design, data in pairs:
        mark = look(data).mark
        assert mark is not None
        assert (mark.release_id, mark.seed) == (release, design.seed)
        assert (mark.source_type, mark.tool) == (MADE_BY_MODEL, creator_tool())


def test_two_jobs_of_one_seed_store_equal_bytes_alone_or_among_others(runtime: Runtime) -> None:
    site = a_site(runtime.records)
    release = a_release(runtime.records, site).id
    alone = stored(runtime, a_design_job(runtime.records, site, release, count=2, seed=5))
    for seed in range(100, 130):
        a_design_job(runtime.records, site, release, seed=seed)
    among = stored(runtime, a_design_job(runtime.records, site, release, count=2, seed=5))
    assert [data for _, data in alone] == [data for _, data in among]
    assert {design.id for design, _ in alone} & {design.id for design, _ in among} == set()


def test_a_stored_design_is_found_by_the_look_of_its_pixels(runtime: Runtime) -> None:
    site = a_site(runtime.records)
    release = a_release(runtime.records, site).id
    ((design, data),) = stored(runtime, a_design_job(runtime.records, site, release, seed=5))
    with runtime.records.reading() as tx:
        near = designs.near(tx, site, look(data).perceptual_hash)
    assert near.found[0] == (design.id, 0)

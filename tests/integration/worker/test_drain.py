"""The generation worker's round over real rows, files and Redis, with a painter of greys."""

import threading
from collections.abc import Sequence
from datetime import timedelta
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image
from redis import Redis

from shared.artifacts import Artifact, ArtifactStore
from shared.errors import NotFoundError
from shared.jobs import lifecycle
from shared.jobs.submit import Terms, enqueue
from shared.records import designs, jobs, models, shoppers, usage
from shared.schemas.designs import Priority
from shared.schemas.jobs import DesignSpec, JobRecord, JobState
from shared.schemas.usage import MICRO, Measure
from shared.shoppers.erasing import erase
from tests.fixtures.painter import Painter
from tests.fixtures.postgres import ON_BOTH
from tests.fixtures.rows import a_design_job, a_release, a_site
from worker.jobs.designs import drain
from worker.jobs.generators import Generators, Loaded
from worker.jobs.metering import measure_storage
from worker.jobs.publishing import Batch, Publisher
from worker.runtime import Runtime

pytestmark = ON_BOTH


@pytest.fixture
def site(runtime: Runtime) -> str:
    return a_site(runtime.records)


@pytest.fixture
def release(runtime: Runtime, site: str) -> str:
    return a_release(runtime.records, site).id


def painters(painter: Painter) -> Generators:
    return Generators(lambda _runtime, _release: Loaded(painter))


def state(runtime: Runtime, job: JobRecord) -> JobRecord:
    with runtime.records.reading() as tx:
        return jobs.get(tx, job.id)


def pictures(runtime: Runtime, job: JobRecord) -> list[int]:
    with runtime.records.reading() as tx:
        places = [designs.get(tx, job.site_id, one.id) for one in designs.of_job(tx, job.id)]
    greys = []
    for place in places:
        assert place.length is not None
        data = runtime.store.read_range(place.artifact, place.start, place.length)
        greys.append(int(np.asarray(Image.open(BytesIO(data))).flat[0]))
    return greys


def test_all_that_waits_is_made_in_batches_and_each_job_has_its_own_pictures(
    runtime: Runtime, site: str, release: str
) -> None:
    waiting = [
        a_design_job(runtime.records, site, release, count=3, seed=10 * n) for n in range(24)
    ]
    painter = Painter()
    drain(runtime, release, painters(painter))
    assert painter.batches == [63, 9]
    for n, job in enumerate(waiting):
        assert state(runtime, job).state is JobState.SUCCEEDED
        assert pictures(runtime, job) == [10 * n, 10 * n + 1, 10 * n + 2]


def test_other_releases_are_worked_off_in_the_same_round(
    runtime: Runtime, site: str, release: str
) -> None:
    other = a_release(runtime.records, site, model="skirts").id
    waiting = [a_design_job(runtime.records, site, one) for one in (release, other, release)]
    drain(runtime, release, painters(Painter()))
    assert {state(runtime, job).state for job in waiting} == {JobState.SUCCEEDED}


def test_work_for_another_worker_is_hinted_at_while_this_one_computes(
    runtime: Runtime, site: str, release: str, redis: Redis
) -> None:
    for n in range(70):
        a_design_job(runtime.records, site, release, seed=n)
    hinted: list[int] = []

    class Looking(Painter):
        def before_pass(self, seeds: Sequence[int]) -> None:  # noqa: ARG002 - the hook's
            hinted.append(int(redis.llen("generate")))

    drain(runtime, release, painters(Looking()))
    assert hinted == [1, 1]


def test_one_members_bad_spec_ends_it_alone(runtime: Runtime, site: str, release: str) -> None:
    good = a_design_job(runtime.records, site, release, seed=1)
    bad = a_design_job(runtime.records, site, release, seed=2)
    with runtime.records.transaction() as tx:
        jobs.change(tx, bad.id, states=[JobState.QUEUED], values={"spec": {"kind": "design"}})
    drain(runtime, release, painters(Painter()))
    assert state(runtime, good).state is JobState.SUCCEEDED
    assert state(runtime, bad).state is JobState.FAILED


def test_a_member_cancelled_while_the_device_works_is_left_out_and_the_others_are_not(
    runtime: Runtime, site: str, release: str
) -> None:
    kept = a_design_job(runtime.records, site, release, seed=1)
    gone = a_design_job(runtime.records, site, release, seed=2)
    cancelled = threading.Event()

    class Slow(Painter):
        def before_pass(self, seeds: Sequence[int]) -> None:  # noqa: ARG002 - the hook's
            with runtime.records.transaction() as tx:
                lifecycle.request_cancel(tx, gone.id, site_id=site)
            cancelled.wait(1.5)  # the heartbeat looks twice a second

    drain(runtime, release, painters(Slow()))
    assert state(runtime, kept).state is JobState.SUCCEEDED
    assert state(runtime, gone).state is JobState.CANCELLED
    assert pictures(runtime, gone) == []


def test_a_job_that_nobody_started_in_time_ends_as_expired_and_is_not_made(
    runtime: Runtime, site: str, release: str
) -> None:
    late = a_design_job(runtime.records, site, release, seed=1)
    with runtime.records.transaction() as tx:
        jobs.change(tx, late.id, states=[JobState.QUEUED], values={"expires_at": tx.now})
    painter = Painter()
    drain(runtime, release, painters(painter))
    ended = state(runtime, late)
    assert (ended.state, ended.reason) == (JobState.FAILED, "expired")
    assert painter.batches == []


def test_what_another_worker_took_over_is_not_published_and_the_rest_is(
    runtime: Runtime, site: str, release: str
) -> None:
    ours = a_design_job(runtime.records, site, release, seed=1)
    taken = a_design_job(runtime.records, site, release, seed=2)

    class Robbed(Painter):
        def before_pass(self, seeds: Sequence[int]) -> None:  # noqa: ARG002 - the hook's
            with runtime.records.transaction() as tx:
                jobs.change(tx, taken.id, states=[JobState.RUNNING], values={"fence": 9})

    drain(runtime, release, painters(Robbed()))
    assert state(runtime, ours).state is JobState.SUCCEEDED
    assert state(runtime, taken).state is JobState.RUNNING
    assert pictures(runtime, taken) == []


def test_a_release_that_cannot_be_read_ends_its_jobs_and_no_others(
    runtime: Runtime, site: str, release: str
) -> None:
    other = a_release(runtime.records, site, model="skirts").id
    lost = a_design_job(runtime.records, site, release)
    fine = a_design_job(runtime.records, site, other)

    def load(_runtime: Runtime, release_id: str) -> Loaded:
        if release_id == release:
            raise MemoryError
        return Loaded(Painter())

    drain(runtime, release, Generators(load))
    assert state(runtime, lost).reason == "out_of_memory"
    assert state(runtime, fine).state is JobState.SUCCEEDED


def test_an_urgent_job_is_made_in_the_next_batch_however_many_wait(
    runtime: Runtime, site: str, release: str
) -> None:
    with runtime.records.transaction() as tx:
        for n in range(200):
            spec = DesignSpec(
                release_id=release, count=1, condition={}, seed=n, size=32, format="png"
            )
            enqueue(tx, site, spec, terms=Terms(priority=Priority.BULK))
        urgent = enqueue(
            tx,
            site,
            spec.model_copy(update={"seed": 250}),
            terms=Terms(priority=Priority.INTERACTIVE),
        )
    order: list[int] = []

    class Noting(Painter):
        def before_pass(self, seeds: Sequence[int]) -> None:
            order.extend(seeds)

    drain(runtime, release, painters(Noting()))
    assert 250 in order[:64]
    assert state(runtime, urgent).state is JobState.SUCCEEDED


def test_the_pace_of_a_release_is_told(runtime: Runtime, site: str, release: str) -> None:
    assert runtime.paces.of(release) is None
    a_design_job(runtime.records, site, release, count=5)
    drain(runtime, release, painters(Painter()))
    pace = runtime.paces.of(release)
    assert pace is not None
    assert pace.images == 5


def test_releases_beyond_the_memory_limit_are_let_go_the_oldest_first(runtime: Runtime) -> None:
    class Large(Painter):
        nbytes = 400 * 2**20

    generators = Generators(lambda _runtime, _release: Loaded(Large()))
    for release_id in ("a", "b", "a", "c"):
        generators.get(runtime, release_id)
    assert list(generators.loaded) == ["a", "c"]


def test_a_shopper_who_is_erased_while_their_design_is_made_leaves_no_file(
    runtime: Runtime, site: str, release: str
) -> None:
    with runtime.records.transaction() as tx:
        shopper = shoppers.ensure(tx, site, "c-7")
        spec = DesignSpec(release_id=release, count=2, condition={}, seed=3, size=32, format="png")
        job = enqueue(tx, site, spec, terms=Terms(shopper_id=shopper.id))
    other = a_design_job(runtime.records, site, release)

    class Erasing(Painter):
        def before_pass(self, seeds: Sequence[int]) -> None:  # noqa: ARG002 - the hook's
            erase(runtime.records, runtime.store, site, "c-7")

    drain(runtime, release, painters(Erasing()))
    with runtime.records.reading() as tx, pytest.raises(NotFoundError):
        jobs.get(tx, job.id)
    assert pictures(runtime, other)
    with runtime.records.reading() as tx:
        (made,) = designs.of_job(tx, other.id)
        kept = designs.get(tx, site, made.id).artifact
    assert list(runtime.store.keys("designs/")) == [kept]


def test_a_batch_is_shared_out_by_images_and_what_is_not_delivered_costs_nothing(
    runtime: Runtime, site: str, release: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = a_site(runtime.records, "other")
    with runtime.records.transaction() as tx:
        models.share(tx, models.release(tx, release).release.model_id, other)
    a_design_job(runtime.records, site, release, count=3, seed=1)
    a_design_job(runtime.records, other, release, count=4, seed=2)
    gone = a_design_job(runtime.records, site, release, count=2, seed=3)
    with runtime.records.transaction() as tx:
        jobs.change(tx, gone.id, states=[JobState.QUEUED], values={"spec": {"kind": "design"}})
    batches: list[float] = []
    publish = Publisher.publish

    def watching(self: Publisher, batch: Batch) -> None:
        batches.append(batch.seconds)
        publish(self, batch)

    monkeypatch.setattr(Publisher, "publish", watching)
    drain(runtime, release, painters(Painter()))
    (seconds,) = batches
    with runtime.records.reading() as tx:
        ours, theirs = (
            {one: usage.sum_of(tx, who, one, since=tx.now.date()) for one in Measure}
            for who in (site, other)
        )
    assert (ours[Measure.DESIGNS], ours[Measure.IMAGES]) == (3, 3)
    assert (theirs[Measure.DESIGNS], theirs[Measure.IMAGES]) == (4, 4)
    whole = round(seconds * MICRO)
    assert ours[Measure.DEVICE] + theirs[Measure.DEVICE] == whole
    assert ours[Measure.DEVICE] == whole * 3 // 7


def test_the_next_pictures_are_stored_while_the_rows_of_a_batch_are_kept(
    runtime: Runtime, site: str, release: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = runtime.settings.batch_limit
    asked = [a_design_job(runtime.records, site, release, count=most, seed=n) for n in range(3)]
    told: list[str] = []
    is_next_stored = threading.Event()
    put, end = type(runtime.store).put, Publisher._end

    def putting(self: ArtifactStore, key: str, data: bytes) -> Artifact:
        told.append("stored")
        if len(told) > 1:
            is_next_stored.set()
        return put(self, key, data)

    def ending(self: Publisher, stored: Any) -> None:
        assert is_next_stored.wait(20), "the next batch waits for this one's end"
        told.append("ended")
        end(self, stored)

    monkeypatch.setattr(type(runtime.store), "put", putting)
    monkeypatch.setattr(Publisher, "_end", ending)
    drain(runtime, release, painters(Painter()))
    assert told.count("stored") == told.count("ended") == 3
    assert told[:3] == ["stored", "stored", "ended"]
    assert {state(runtime, job).state for job in asked} == {JobState.SUCCEEDED}


def test_a_job_that_is_made_twice_costs_once(runtime: Runtime, site: str, release: str) -> None:
    job = a_design_job(runtime.records, site, release, seed=1)

    class Robbed(Painter):
        def before_pass(self, seeds: Sequence[int]) -> None:  # noqa: ARG002 - the hook's
            if len(self.batches) > 1:
                return
            with runtime.records.transaction() as tx:
                held = jobs.get(tx, job.id)
                lifecycle.put_back(tx, held, reason="lost_worker", delay=timedelta(0))

    drain(runtime, release, painters(Robbed()))
    drain(runtime, release, painters(Painter()))
    assert state(runtime, job).state is JobState.SUCCEEDED
    with runtime.records.reading() as tx:
        assert usage.sum_of(tx, site, Measure.IMAGES, since=tx.now.date()) == 1


def test_what_is_kept_is_measured_for_every_site(runtime: Runtime, site: str, release: str) -> None:
    empty = a_site(runtime.records, "empty")
    job = a_design_job(runtime.records, site, release, seed=1)
    drain(runtime, release, painters(Painter()))
    with runtime.records.reading() as tx:
        (made,) = designs.of_job(tx, job.id)
        length = designs.get(tx, site, made.id).length
    assert measure_storage(runtime) == 2
    with runtime.records.reading() as tx:
        assert usage.stored(tx, site) == length
        assert usage.stored(tx, empty) == 0

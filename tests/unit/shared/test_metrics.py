"""Counting over many processes, and reading the sums."""

import math
from datetime import timedelta

import pytest
from prometheus_client.core import Metric
from redis import Redis

from shared.clock import utc_now
from shared.errors import QueueUnavailableError
from shared.metrics import (
    BATCH_IMAGES,
    COUNTED,
    DEVICE_SECONDS,
    JOBS,
    Counters,
    Tally,
)
from shared.records import Records
from shared.schemas.jobs import JobState
from tests.fixtures.shop import open_shop, running, training_spec


def samples(found: list[Metric]) -> dict[tuple[str, ...], float]:
    return {
        (one.name, *one.labels.values()): one.value for family in found for one in family.samples
    }


def test_what_several_processes_count_is_added_up(redis: Redis) -> None:
    for _ in range(3):
        tally = Tally()
        tally.add(JOBS, 2, "design", "succeeded", "")
        tally.add(DEVICE_SECONDS, 0.5, "designs")
        assert Counters(redis).send(tally)
    found = samples(Counters(redis).read())
    assert found["toile_jobs_total", "design", "succeeded", ""] == 6
    assert found["toile_device_busy_seconds_total", "designs"] == 1.5


def test_a_histogram_is_cumulative_as_prometheus_wants_it(redis: Redis) -> None:
    tally = Tally()
    for images in (1, 3, 64, 5_000):
        tally.observe(BATCH_IMAGES, images)
    Counters(redis).send(tally)
    found = samples(Counters(redis).read())
    below = {key[1]: value for key, value in found.items() if key[0] == "toile_batch_images_bucket"}
    assert [below["1"], below["2"], below["4"], below["64"], below["+Inf"]] == [1, 1, 2, 3, 4]
    assert found[("toile_batch_images_count",)] == 4
    assert found[("toile_batch_images_sum",)] == 5_068


def test_an_ended_job_is_counted_with_its_times(redis: Redis, records: Records) -> None:
    shop = open_shop(records, "shop")
    with records.transaction() as tx:
        job = running(tx, shop, training_spec(shop))
    started = job.created_at + timedelta(seconds=2)
    tally = Tally()
    tally.ended(
        job.model_copy(update={"started_at": started}),
        JobState.FAILED,
        "diverged",
        started.timestamp() + 40,
    )
    Counters(redis).send(tally)
    found = samples(Counters(redis).read())
    assert found["toile_jobs_total", "training", "failed", "diverged"] == 1
    assert found["toile_attempts_total", "training", "failed"] == 1
    assert found["toile_job_wait_seconds_sum", "training"] == pytest.approx(2)
    assert found["toile_job_run_seconds_sum", "training"] == pytest.approx(40)


def test_what_is_no_number_is_not_counted_and_a_wrong_label_is_a_fault() -> None:
    tally = Tally()
    tally.add(DEVICE_SECONDS, math.nan, "designs")
    tally.add(DEVICE_SECONDS, -1, "designs")
    tally.observe(BATCH_IMAGES, math.inf)
    assert tally.sums == {}
    with pytest.raises(ValueError, match="told apart by"):
        tally.add(JOBS, 1, "design")


def test_without_redis_nothing_is_counted_and_reading_says_so() -> None:
    away = Counters(Redis(unix_socket_path="/nowhere.sock"))
    tally = Tally()
    tally.add(JOBS, 1, "design", "succeeded", "")
    assert away.send(tally) is False
    with pytest.raises(QueueUnavailableError):
        away.read()


def test_every_measure_has_a_name_of_its_own_and_a_sentence() -> None:
    names = [measure.name for measure in COUNTED]
    assert len(names) == len(set(names))
    assert all(name.startswith("toile_") for name in names)
    assert all(measure.about.endswith(".") for measure in COUNTED)
    assert utc_now().tzinfo is not None

"""What the settings of Celery must be to one another, whatever their values."""

import pytest
from celery import Celery

from shared.queue.app import VISIBILITY_SECONDS, create_app
from shared.settings import Settings
from worker.jobs.upkeep import RESEND_SECONDS
from worker.schedule import beat_schedule

SECONDS = Settings().upkeep_seconds


@pytest.fixture
def app() -> Celery:
    settings = Settings(redis_url="redis://127.0.0.1:1/0")
    return create_app(settings, beat_schedule=beat_schedule(settings))


def test_upkeep_sends_again_long_before_redis_gives_a_message_to_another(app: Celery) -> None:
    restored = app.conf.broker_transport_options["visibility_timeout"]
    assert restored == VISIBILITY_SECONDS
    assert restored > 2 * (RESEND_SECONDS + SECONDS)


def test_what_redis_has_to_restore_is_looked_for_long_before_upkeep_sends_again(
    app: Celery,
) -> None:
    options = app.conf.broker_transport_options
    every = options["unacked_restore_interval"] * options["unacked_restore_throttle"]
    assert every < RESEND_SECONDS / 10


def test_a_lost_worker_is_found_within_five_seconds_of_its_lease(app: Celery) -> None:
    found = app.conf.beat_schedule["toile.upkeep"]["schedule"] + Settings().retry_delay_seconds
    assert found < 5


def test_a_message_is_acknowledged_after_the_work_and_never_sent_back_by_celery(
    app: Celery,
) -> None:
    assert app.conf.task_acks_late
    assert app.conf.task_acks_on_failure_or_timeout
    assert not app.conf.task_reject_on_worker_lost
    assert app.conf.worker_prefetch_multiplier == 1


def test_nothing_is_read_but_json_and_no_results_are_kept(app: Celery) -> None:
    assert list(app.conf.accept_content) == ["json"]
    assert app.conf.task_serializer == "json"
    assert app.conf.result_backend is None
    assert app.conf.task_ignore_result


def test_a_worker_outlives_any_outage_of_redis(app: Celery) -> None:
    assert app.conf.broker_connection_max_retries is None
    assert app.conf.broker_connection_retry_on_startup
    assert not app.conf.worker_cancel_long_running_tasks_on_connection_loss


def test_no_message_outlives_the_next_of_its_kind(app: Celery) -> None:
    for entry in app.conf.beat_schedule.values():
        assert entry["options"]["expires"] <= entry["schedule"]


def test_a_child_may_take_as_long_to_start_as_tensorflow_takes_to_load(app: Celery) -> None:
    assert app.conf.worker_proc_alive_timeout >= 30

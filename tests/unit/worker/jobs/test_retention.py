from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis

from shared.artifacts.local import LocalArtifacts
from shared.errors import StoreUnavailableError
from tests.fixtures.shop import fill_shop
from worker.jobs import retention
from worker.runtime import Runtime


def hasty(runtime: Runtime) -> Runtime:
    changes = {"orphan_seconds": 1e-9, "lease_seconds": 1e-9}
    return replace(runtime, settings=runtime.settings.model_copy(update=changes))


def test_a_round_lets_orphans_go_and_the_next_begins_anew(runtime: Runtime) -> None:
    fill_shop(runtime.records, runtime.store, "shop")
    whole = set(runtime.store.keys(""))
    runtime.store.put("designs/pack_lost", b"lost")
    retention.let_go(hasty(runtime))
    assert set(runtime.store.keys("")) == whole
    assert runtime.redis.get(retention.PLACE) is None


def test_a_round_that_ran_out_of_time_says_where_the_next_goes_on(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_SECONDS", -1)
    runtime.store.put("designs/pack_1", b"lost")
    retention.let_go(hasty(runtime))
    assert runtime.redis.get(retention.PLACE) == b"designs/pack_1"
    runtime.store.put("designs/pack_0", b"behind its back")
    runtime.store.put("designs/pack_2", b"lost")
    retention.let_go(hasty(runtime))
    assert list(runtime.store.keys("")) == ["designs/pack_0"]


class Away(LocalArtifacts):
    """A store that answers nobody."""

    def tidy(self, before: object) -> int:  # noqa: ARG002 - the port's signature
        raise StoreUnavailableError("The store is away.")


def test_a_store_or_redis_that_is_away_ends_a_round_and_no_worker(
    runtime: Runtime, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    retention.let_go(replace(runtime, store=Away(tmp_path)))
    assert "goes on from here" in caplog.text
    lonely = Redis.from_url(f"unix://{tmp_path}/no.sock")
    runtime.store.put("designs/pack_1", b"lost")
    retention.let_go(replace(hasty(runtime), redis=lonely))
    assert not runtime.store.exists("designs/pack_1")

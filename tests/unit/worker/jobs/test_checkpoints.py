"""Checkpoints in the artifact store: what is damaged is passed over, whoever wrote it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.artifacts import keys
from shared.artifacts.local import LocalArtifacts
from shared.errors import ReleaseCorruptError, StoreUnavailableError
from worker.jobs.checkpoints import ArtifactCheckpoints

FILES = {"state.npz": b"weights of step %d" * 40, "state.json": b'{"step": %d}'}


def files(step: int) -> dict[str, bytes]:
    return {name: text.replace(b"%d", str(step).encode()) for name, text in FILES.items()}


class Fragile(LocalArtifacts):
    """A store that says of some keys what the test tells it to."""

    trouble: Exception | None = None

    def read(self, key: str) -> bytes:
        if self.trouble is not None and key.endswith("state.npz"):
            raise self.trouble
        return super().read(key)


@pytest.fixture
def store(tmp_path: Path) -> Fragile:
    return Fragile(tmp_path)


@pytest.fixture
def kept(store: Fragile) -> ArtifactCheckpoints:
    """Steps 3 and 6, under the first fence."""
    checkpoints = ArtifactCheckpoints(store, "job_1", 1)
    for step in (3, 6):
        checkpoints.save(step, files(step))
    return checkpoints


def newest_key(store: Fragile, name: str) -> str:
    return max(key for key in store.keys(keys.checkpoints("job_1")) if key.endswith(name))


def truncated(store: Fragile) -> None:
    key = newest_key(store, "state.npz")
    store.put(key, store.read(key)[:-7])


def missing(store: Fragile) -> None:
    store.delete(newest_key(store, "state.npz"))


def flipped(store: Fragile) -> None:
    key = newest_key(store, "state.npz")
    data = bytearray(store.read(key))
    data[11] ^= 1
    store.put(key, bytes(data))


def empty(store: Fragile) -> None:
    store.put(newest_key(store, "state.npz"), b"")


def no_manifest(store: Fragile) -> None:
    store.delete(newest_key(store, "manifest.json"))


def half_a_manifest(store: Fragile) -> None:
    key = newest_key(store, "manifest.json")
    store.put(key, store.read(key)[:20])


def another_manifest(store: Fragile) -> None:
    store.put(newest_key(store, "manifest.json"), json.dumps({"step": None, "files": 7}).encode())


@pytest.mark.parametrize(
    "damage",
    [truncated, missing, flipped, empty, no_manifest, half_a_manifest, another_manifest],
)
def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before(
    store: Fragile, kept: ArtifactCheckpoints, damage: Callable[[Fragile], None]
) -> None:
    whole = kept.newest()
    assert whole is not None
    assert whole.step == 6
    damage(store)
    found = ArtifactCheckpoints(store, "job_1", 2).newest()
    assert found is not None
    assert (found.step, dict(found.files)) == (3, files(3))


def test_the_next_attempt_finds_what_an_older_fence_left_and_its_own_are_newer(
    store: Fragile, kept: ArtifactCheckpoints
) -> None:
    assert kept.newest() is not None
    second = ArtifactCheckpoints(store, "job_1", 2)
    found = second.newest()
    assert found is not None
    assert found.step == 6
    second.save(7, files(7))
    later = ArtifactCheckpoints(store, "job_1", 10).newest()
    assert later is not None
    assert later.step == 7


def test_a_worker_that_lost_its_lease_hides_nothing_of_the_newer_ones(
    store: Fragile, kept: ArtifactCheckpoints
) -> None:
    second = ArtifactCheckpoints(store, "job_1", 2)
    second.save(9, files(9))
    kept.save(12, files(12))  # the first, which does not know yet
    found = second.newest()
    assert found is not None
    assert found.step == 9


def test_two_are_kept_and_what_was_never_finished_is_dropped(
    store: Fragile, kept: ArtifactCheckpoints
) -> None:
    store.put(keys.checkpoint_file("job_1", 1, 3, "state.npz"), b"half")
    begun_elsewhere = keys.checkpoint_file("job_1", 5, 1, "state.npz")
    store.put(begun_elsewhere, b"being written")
    second = ArtifactCheckpoints(store, "job_1", 2)
    second.save(9, files(9))
    second.save(12, files(12))
    left = sorted(store.keys(keys.checkpoints("job_1")))
    assert left == sorted(
        [
            *(keys.checkpoint_file("job_1", 2, n, name)
              for n in (1, 2) for name in (*FILES, "manifest.json")),
            begun_elsewhere,
        ]
    )  # fmt: skip
    assert kept.newest() is not None


def test_what_the_store_calls_damaged_is_passed_over_and_what_it_cannot_reach_is_not(
    store: Fragile, kept: ArtifactCheckpoints
) -> None:
    store.trouble = StoreUnavailableError("The store is away.")
    with pytest.raises(StoreUnavailableError):
        kept.newest()
    store.trouble = ReleaseCorruptError("It is damaged.")
    assert kept.newest() is None

"""A release in memory is seen with the newest index of its catalog, and asked about seldom."""

from typing import Any

import pytest

from shared.errors import TasteCorruptError
from tests.fixtures.painter import Painter
from worker.jobs.generators import FOLLOWED_AFTER, Generators, Loaded
from worker.runtime import Runtime


class Clock:
    """Stands still until it is told to go on."""

    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


class Shelf:
    """The release `a`, whose catalog has the indexes that `newest` counts."""

    def __init__(self) -> None:
        self.newest: Any = "index 1"
        self.asked: list[tuple[str, Any]] = []
        self.loads = 0
        self.clock = Clock()
        self.generators = Generators(self._load, follow=self._follow, clock=self.clock)

    def _load(self, _runtime: Runtime, _release_id: str) -> Loaded:
        self.loads += 1
        return Loaded(Painter(), self.newest)

    def _follow(self, _runtime: Runtime, release_id: str, sight: Any) -> Any:
        self.asked.append((release_id, sight))
        if isinstance(self.newest, Exception):
            raise self.newest
        return self.newest


class Roomy:
    """All that loading looks at of a runtime."""

    class settings:  # noqa: N801 - stands for an attribute
        models_memory = 2**40


RUNTIME: Any = Roomy()


def test_a_newer_index_is_followed_without_loading_the_release_again() -> None:
    shelf = Shelf()
    first = shelf.generators.get(RUNTIME, "a")
    shelf.newest = "index 2"
    shelf.clock.seconds += FOLLOWED_AFTER
    second = shelf.generators.get(RUNTIME, "a")
    sights: list[Any] = [first.sight, second.sight]
    assert sights == ["index 1", "index 2"]
    assert second.generator is first.generator
    assert shelf.loads == 1


def test_batches_in_quick_succession_ask_for_nothing() -> None:
    shelf = Shelf()
    for _ in range(50):
        shelf.generators.get(RUNTIME, "a")
        shelf.clock.seconds += FOLLOWED_AFTER / 60
    assert shelf.asked == []
    shelf.clock.seconds += FOLLOWED_AFTER
    for _ in range(50):
        shelf.generators.get(RUNTIME, "a")
    assert shelf.asked == [("a", "index 1")]


def test_a_catalog_that_had_no_index_is_seen_once_it_has_one() -> None:
    shelf = Shelf()
    shelf.newest = None
    assert shelf.generators.get(RUNTIME, "a").sight is None
    shelf.newest = "index 1"
    shelf.clock.seconds += FOLLOWED_AFTER
    found: Any = shelf.generators.get(RUNTIME, "a").sight
    assert found == "index 1"


def test_a_failed_look_is_repeated_with_the_next_batch() -> None:
    shelf = Shelf()
    shelf.generators.get(RUNTIME, "a")
    shelf.newest = TasteCorruptError("damaged")
    shelf.clock.seconds += FOLLOWED_AFTER
    with pytest.raises(TasteCorruptError):
        shelf.generators.get(RUNTIME, "a")
    shelf.newest = "index 2"
    found: Any = shelf.generators.get(RUNTIME, "a").sight
    assert found == "index 2"

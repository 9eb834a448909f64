"""A release in memory is seen with the newest index of its catalog, and asked about seldom."""

import gc
import weakref
from typing import Any

import pytest

from shared.errors import TasteCorruptError
from tests.fixtures.painter import Painter
from worker.jobs.generators import FOLLOWED_AFTER, Generators, Loaded, set_aside
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


def test_what_stays_is_set_aside_once_it_is_loaded_and_looked_at_when_some_of_it_goes() -> None:
    class Small(Roomy):
        class settings:  # noqa: N801 - stands for an attribute
            models_memory = -1

    told: list[bool] = []
    small: Any = Small()
    generators = Generators(lambda _runtime, _release: Loaded(Painter()), settle=told.append)
    generators.get(small, "a")
    generators.get(small, "a")
    generators.get(small, "b")
    assert told == [False, True]


def test_what_was_let_go_is_freed_although_its_parts_point_at_each_other() -> None:
    class Knot:
        def __init__(self) -> None:
            self.itself = self

    knot = Knot()
    seen = weakref.ref(knot)
    try:
        set_aside(False)
        del knot
        gc.collect()
        assert seen() is not None, "what is set aside is not looked at"
        set_aside(True)
        assert seen() is None
    finally:
        gc.unfreeze()

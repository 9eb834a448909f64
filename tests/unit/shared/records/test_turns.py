"""Who writes an SQLite file next."""

import multiprocessing
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.errors import DatabaseUnavailableError
from shared.records.turns import Turns

SPAWNED = multiprocessing.get_context("spawn")


def test_threads_have_their_turns_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    turns = Turns(tmp_path / "t.sqlite3", seconds=10)
    order: list[int] = []

    def write(number: int) -> None:
        with turns:
            order.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    with turns:
        for place, thread in enumerate(threads, start=1):
            thread.start()
            _until(lambda place=place: len(turns._threads._waiting) == place)  # type: ignore[misc]
    for thread in threads:
        thread.join()
    assert order == list(range(8))


def test_a_turn_that_takes_too_long_is_an_error_that_says_so(tmp_path: Path) -> None:
    slow, hasty = (Turns(tmp_path / "t.sqlite3", seconds=seconds) for seconds in (10, 0.05))
    with slow, pytest.raises(DatabaseUnavailableError, match="Other processes have been writing"):
        hasty.__enter__()
    with hasty:  # it left nothing behind
        pass


def test_a_thread_that_gave_up_is_not_handed_the_turn() -> None:
    turns = Turns(None, seconds=0.05)
    failed: list[str] = []

    def write() -> None:
        with pytest.raises(DatabaseUnavailableError) as caught, turns:
            failed.append("wrote")
        failed.append(caught.value.message)

    with turns:
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
    assert len(failed) == 1
    assert "Another thread" in failed[0]
    with turns:
        pass


def test_a_process_that_writes_again_and_again_lets_one_that_waits_go_first(tmp_path: Path) -> None:
    database = tmp_path / "t.sqlite3"
    over = SPAWNED.Event()
    busy = SPAWNED.Process(target=_write_without_end, args=(database, over), daemon=True)
    busy.start()
    try:
        _until((tmp_path / "began").exists)
        turns = Turns(database, seconds=10)
        waits = []
        for _ in range(20):
            began = time.monotonic()
            with turns:
                waits.append(time.monotonic() - began)
            time.sleep(0.003)
    finally:
        over.set()
        busy.join(10)
    # One turn of the other's is 20 ms; it takes the next one at once, and would for ever.
    assert sorted(waits)[len(waits) // 2] < 0.1


def test_the_turn_of_a_process_that_died_is_over(tmp_path: Path) -> None:
    database = tmp_path / "t.sqlite3"
    holder = SPAWNED.Process(target=_hold_for_ever, args=(database,), daemon=True)
    holder.start()
    _until((tmp_path / "began").exists)
    with pytest.raises(DatabaseUnavailableError), Turns(database, seconds=0.1):
        pass
    holder.kill()
    holder.join()
    with Turns(database, seconds=5):
        pass


def _write_without_end(database: Path, over: threading.Event) -> None:
    turns = Turns(database, seconds=10)
    while not over.is_set():
        with turns:
            (database.parent / "began").touch()
            time.sleep(0.02)


def _hold_for_ever(database: Path) -> None:
    with Turns(database, seconds=10):
        (database.parent / "began").touch()
        time.sleep(60)


def _until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.001)

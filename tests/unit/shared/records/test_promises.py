import threading
from datetime import timedelta

import pytest

from shared.records import Records, promises
from shared.records.promises import KEPT, TakenError
from tests.fixtures.postgres import ON_BOTH
from tests.fixtures.rows import a_site


@ON_BOTH
def test_a_second_request_waits_for_the_first_and_finds_its_answer(records: Records) -> None:
    site_id = a_site(records)
    reserved, told = threading.Event(), threading.Event()

    def first() -> None:
        with records.transaction() as tx:
            promises.reserve(tx, site_id, "k", fingerprint="f")
            reserved.set()
            told.wait(0.3)  # nobody says anything: the second one waits all the while
            promises.answer(tx, site_id, "k", {"status": 201})

    thread = threading.Thread(target=first)
    thread.start()
    assert reserved.wait(30)
    with pytest.raises(TakenError), records.transaction() as tx:
        promises.reserve(tx, site_id, "k", fingerprint="f")
    thread.join()
    with records.reading() as tx:
        found = promises.find(tx, site_id, ["k", "new"])
    assert {key: one.answer for key, one in found.items()} == {"k": {"status": 201}}


@ON_BOTH
def test_a_request_that_was_taken_back_leaves_its_key_free(records: Records) -> None:
    site_id = a_site(records)

    def fail() -> None:
        with records.transaction() as tx:
            promises.reserve(tx, site_id, "k", fingerprint="f")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with records.transaction() as tx:
        assert promises.find(tx, site_id, ["k"]) == {}
        promises.reserve(tx, site_id, "k", fingerprint="g")
        assert promises.find(tx, site_id, ["k"])["k"].fingerprint == "g"


@ON_BOTH
def test_a_key_is_free_again_after_a_day_and_anothers_always(records: Records) -> None:
    site_id, other = a_site(records), a_site(records, "other")
    with records.transaction() as tx:
        promises.reserve(tx, site_id, "k", fingerprint="f")
    with records.transaction() as tx:
        promises.reserve(tx, other, "k", fingerprint="h")
        old = promises._KEYS.c.site_id == site_id
        at = tx.now - KEPT - timedelta(seconds=1)
        tx.session.execute(promises._KEYS.update().where(old).values(created_at=at))
    with records.transaction() as tx:
        assert promises.find(tx, site_id, ["k"]) == {}
        promises.reserve(tx, site_id, "k", fingerprint="g")
        assert promises.find(tx, site_id, ["k"])["k"].fingerprint == "g"
        assert promises.find(tx, other, ["k"])["k"].fingerprint == "h"

"""What sites are owed, written by two workers that claim of one release at the same moment."""

import threading

from sqlalchemy import select

from shared.records import Records, waiting
from shared.records.tables import Base
from tests.fixtures.postgres import ON_BOTH
from tests.fixtures.rows import a_release, a_site

pytestmark = ON_BOTH


def test_two_workers_that_owe_the_same_sites_write_after_one_another(records: Records) -> None:
    site = a_site(records)
    release = a_release(records, site).id
    first_wrote, failures = threading.Event(), []

    def second() -> None:
        first_wrote.wait(10)
        try:
            with records.transaction() as tx:
                waiting.owe(tx, release, {site: 2.0})
        except Exception as error:  # noqa: BLE001 - told by the test's own thread
            failures.append(error)

    other = threading.Thread(target=second)
    other.start()
    with records.transaction() as tx:
        waiting.owe(tx, release, {site: 1.0})
        first_wrote.set()
        other.join(0.5)  # it comes now, and must wait
    other.join(30)
    assert failures == []
    shares = Base.metadata.tables["shares"]
    with records.reading() as tx:
        owed = tx.session.execute(select(shares.c.deficit)).scalars().all()
    assert owed == [2.0]

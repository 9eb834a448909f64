"""The count must see what it is there for: each test doctors a sound outcome in one way."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from shared.jobs.submit import enqueue
from shared.records.tables import (
    AttemptRow,
    DesignRow,
    IdempotencyKeyRow,
    JobRow,
    ReleaseRow,
    ReportRow,
)
from shared.schemas.jobs import TrendSpec
from shared.schemas.trends import TrendOptions
from tests.chaos.counting import Books, count
from tests.chaos.drawing import draws
from tests.chaos.ledger import Promise
from tests.chaos.outcome import Outcome, loads, sound_outcome
from tests.chaos.verdict import Trouble
from worker.runtime import Runtime


@pytest.fixture
def outcome(runtime: Runtime) -> Outcome:
    return sound_outcome(runtime)


def troubles(outcome: Outcome, books: Books | None = None) -> dict[str, set[Trouble]]:
    """Return what the count finds, by what it is about."""
    found: dict[str, set[Trouble]] = {}
    for one in count(books or outcome.books(), outcome.ledger, loads=loads):
        found.setdefault(one.subject, set()).add(one.trouble)
    return found


def say(outcome: Outcome, statement: Any) -> None:
    with outcome.runtime.records.transaction() as tx:
        tx.session.execute(statement)


def one_design(outcome: Outcome, job: str) -> Any:
    with outcome.runtime.records.reading() as tx:
        query = select(DesignRow).where(DesignRow.job_id == job, DesignRow.position == 0)
        return tx.session.scalars(query).one()


def test_of_a_sound_outcome_nothing_is_said(outcome: Outcome) -> None:
    assert troubles(outcome) == {}
    books = outcome.books()
    assert len(books.jobs) == 8
    assert len(books.attempts[outcome.designs[0]]) == 2


def test_a_lost_job_is_seen(outcome: Outcome) -> None:
    lost = outcome.designs[2]
    for table in (DesignRow, AttemptRow, IdempotencyKeyRow):
        say(outcome, delete(table).where(table.job_id == lost))
    say(outcome, delete(JobRow).where(JobRow.id == lost))
    assert troubles(outcome)[lost] == {Trouble.LOST}


def test_a_design_that_is_missing_is_seen(outcome: Outcome) -> None:
    job = outcome.designs[1]
    say(outcome, delete(DesignRow).where(DesignRow.job_id == job, DesignRow.position == 1))
    assert Trouble.LOST in troubles(outcome)[job]


def test_a_design_made_twice_is_seen(outcome: Outcome) -> None:
    job = outcome.designs[1]
    row = one_design(outcome, job)
    twin = {column.name: getattr(row, column.name) for column in DesignRow.__table__.columns}
    say(outcome, insert(DesignRow).values({**twin, "id": "des_twin", "position": 2}))
    assert Trouble.DOUBLED in troubles(outcome)[job]


@pytest.mark.parametrize(
    ("table", "name"), [(ReleaseRow, "releases"), (ReportRow, "reports")], ids=["release", "report"]
)
def test_a_second_effect_of_one_job_is_seen(outcome: Outcome, table: Any, name: str) -> None:
    # The tables refuse it, so the books are doctored and not the database.
    job = outcome.training if table is ReleaseRow else outcome.report
    books = outcome.books()
    rows: Any = getattr(books, name)
    twice: Any = {**rows, job: [*rows[job], rows[job][0]]}
    doctored: Books = replace(books, **{name: twice})
    assert Trouble.DOUBLED in troubles(outcome, doctored)[job]


def test_two_tries_that_both_succeeded_are_seen(outcome: Outcome) -> None:
    job = outcome.designs[0]
    say(outcome, update(AttemptRow).where(AttemptRow.job_id == job).values(outcome="succeeded"))
    assert Trouble.DOUBLED in troubles(outcome)[job]


@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_stuck_job_is_seen(outcome: Outcome, state: str) -> None:
    job = outcome.training
    say(outcome, update(JobRow).where(JobRow.id == job).values(state=state))
    assert Trouble.STUCK in troubles(outcome)[job]


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_a_job_that_ended_badly_is_seen(outcome: Outcome, state: str) -> None:
    job = outcome.report
    say(outcome, update(JobRow).where(JobRow.id == job).values(state=state))
    assert {Trouble.FAILED, Trouble.ORPHANED} <= troubles(outcome)[job]


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _turned(data: bytes) -> bytes:
    return bytes(255 - one for one in data)


@pytest.mark.parametrize("harm", [_cut, _turned], ids=["truncated", "altered"])
def test_a_damaged_picture_is_seen(outcome: Outcome, harm: Callable[[bytes], bytes]) -> None:
    row = one_design(outcome, outcome.designs[3])
    store = outcome.runtime.store
    store.put(row.artifact, harm(store.read(row.artifact)))
    assert troubles(outcome)[row.id] == {Trouble.DAMAGED}


def test_a_picture_of_another_size_is_seen(outcome: Outcome) -> None:
    row = one_design(outcome, outcome.designs[3])
    say(outcome, update(DesignRow).where(DesignRow.id == row.id).values(size=64))
    assert troubles(outcome)[row.id] == {Trouble.DAMAGED}


def test_a_picture_that_is_gone_is_seen(outcome: Outcome) -> None:
    row = one_design(outcome, outcome.designs[3])
    outcome.runtime.store.delete(row.artifact)
    assert Trouble.DAMAGED in troubles(outcome)[row.id]


@pytest.mark.parametrize("name", ["generator.npz", "grid.png"])
def test_a_release_whose_files_are_not_whole_is_seen(outcome: Outcome, name: str) -> None:
    row = outcome.books().releases[outcome.training][0]
    store = outcome.runtime.store
    if name == "grid.png":
        store.delete(f"{row['artifact']}{name}")
    else:
        store.put(f"{row['artifact']}{name}", b"other weights")
    assert troubles(outcome)[row["id"]] == {Trouble.DAMAGED}


def test_a_report_whose_page_is_cut_short_is_seen(outcome: Outcome) -> None:
    row = outcome.books().reports[outcome.report][0]
    outcome.runtime.store.put(row["files"]["report.html"], b"<html>")
    assert troubles(outcome)[row["id"]] == {Trouble.DAMAGED}


def test_a_gap_in_the_tries_is_seen(outcome: Outcome) -> None:
    job = outcome.designs[0]
    say(outcome, delete(AttemptRow).where(AttemptRow.job_id == job, AttemptRow.number == 1))
    assert troubles(outcome)[job] == {Trouble.INCONSISTENT}


def test_a_try_that_is_open_though_its_job_is_over_is_seen(outcome: Outcome) -> None:
    job = outcome.designs[2]
    say(outcome, update(AttemptRow).where(AttemptRow.job_id == job).values(ended_at=None))
    assert troubles(outcome)[job] == {Trouble.INCONSISTENT}


def test_a_key_that_got_two_jobs_is_seen(outcome: Outcome) -> None:
    promise = Promise("design", "shop", [{}])
    outcome.ledger.accepted("key0", promise, (outcome.designs[3],))
    assert troubles(outcome)["key0"] == {Trouble.MISJOINED}


def test_a_key_that_the_rows_give_to_another_job_is_seen(outcome: Outcome) -> None:
    other = update(IdempotencyKeyRow).where(IdempotencyKeyRow.key == "key0")
    say(outcome, other.values(job_id=outcome.designs[3]))
    assert troubles(outcome)["key0"] == {Trouble.MISJOINED}


def test_a_job_that_nobody_asked_for_is_seen(outcome: Outcome) -> None:
    with outcome.runtime.records.transaction() as tx:
        job = enqueue(tx, outcome.site, TrendSpec(options=TrendOptions()))
    assert Trouble.UNASKED in troubles(outcome)[job.id]


def test_a_job_that_makes_something_else_than_was_asked_is_seen(outcome: Outcome) -> None:
    outcome.ledger.promises["key0"].asked = [{"seed": 31}]
    assert troubles(outcome)[outcome.designs[2]] == {Trouble.INCONSISTENT}


def test_a_refusal_that_no_client_should_meet_is_seen(outcome: Outcome) -> None:
    outcome.ledger.refused("shop: 500")
    assert troubles(outcome) == {"a client": {Trouble.REFUSED}}


def test_a_release_is_tried_by_drawing_with_it() -> None:
    from tests.bench import random_release

    files = random_release.files(16)
    assert draws(files) is None
    short = files["generator.npz"][: len(files["generator.npz"]) // 2]
    told = draws({**files, "generator.npz": short})
    assert told

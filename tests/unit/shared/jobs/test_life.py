"""Any sequence of moves, by anybody, in any order: each is refused, or does what was asked."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import URL, delete, event, select, update

from shared.errors import ConflictError
from shared.jobs import lifecycle, recovery
from shared.jobs.ends import LeaseLostError
from shared.jobs.lifecycle import UnwantedError
from shared.jobs.moves import MOVES
from shared.jobs.submit import Terms, enqueue
from shared.records import Records, jobs, migrate, shoppers
from shared.records.tables import AttemptRow, Base, IdempotencyKeyRow, JobRow
from shared.schemas.jobs import SPEC, DesignSpec, JobRecord, JobState, Reason
from tests.fixtures.life import FINAL, LEASE, LIMITS, MAX_ATTEMPTS, Clock, Life
from tests.fixtures.postgres import ON_BOTH
from tests.fixtures.rows import a_release, a_site

pytestmark = ON_BOTH

FEW: Final = 4
"""Of many jobs each would be moved too seldom for two moves to meet."""
WORKERS: Final = st.sampled_from(["one", "two", "three"])
ENDS: Final = st.sampled_from([JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED])


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def records(tmp_path: Path, clock: Clock, database: URL | None) -> Iterator[Records]:
    on_disk = URL.create("sqlite", database=str(tmp_path / "t.sqlite3"))
    opened = Records(database or on_disk, clock=clock)
    if database is None:  # nothing of this must outlive a power cut, and it is written often

        @event.listens_for(opened.engine, "connect")
        def _hasten(connection: Any, _record: object) -> None:
            connection.execute("PRAGMA synchronous=OFF")

    migrate.upgrade(opened)
    yield opened
    opened.close()


class Lives(RuleBasedStateMachine):
    """Jobs of one site: some designs of one release, some not; some for a shopper."""

    all_jobs = Bundle("all_jobs")
    tokens = Bundle("tokens")
    """Jobs as they were claimed: what a worker knows. A stale worker is one of these, used late."""
    seen = Bundle("seen")
    """Jobs as an upkeep saw them, which may do something about them much later."""

    def __init__(self, records: Records, clock: Clock, site: str, release: str) -> None:
        super().__init__()
        self.records, self.clock, self.site, self.release = records, clock, site, release
        self.lives: dict[str, Life] = {}
        self.shopper_of: dict[str, str] = {}
        self.over: dict[str, JobRecord] = {}
        self.fences: dict[str, int] = {}
        self.owners: list[JobRecord] = []

    @initialize(target=all_jobs)
    def first(self) -> str:
        return self.submitted(DesignSpec(**self.design()), Terms())

    @precondition(lambda self: len(self.lives) < FEW)
    @rule(
        target=all_jobs,
        expires_in=st.sampled_from([None, None, 30.0, 200.0]),
        key=st.sampled_from([None, None, "a", "b"]),
        for_shopper=st.booleans(),
    )
    def submit(self, expires_in: float | None, key: str | None, for_shopper: bool) -> str:  # noqa: FBT001 - hypothesis passes rules by name
        shopper = self.shopper() if for_shopper else None
        terms = Terms(expires_in=expires_in, shopper_id=shopper)
        return self.submitted(DesignSpec(**self.design()), terms, key=key)

    @precondition(lambda self: len(self.lives) < FEW)
    @rule(target=all_jobs, job=all_jobs)
    def retry(self, job: str) -> Any:
        """A retry is a new job; the old one stays as it ended."""
        if self.lives[job].state not in {JobState.FAILED, JobState.CANCELLED}:
            return multiple()
        with self.records.reading() as tx:
            spec = SPEC.validate_python(jobs.get(tx, job).spec)
        return self.submitted(spec, Terms())

    def submitted(self, spec: Any, terms: Terms, *, key: str | None = None) -> str:
        with self.records.transaction() as tx:
            job = enqueue(
                tx, self.site, spec, terms=terms, idempotency_key=key, fingerprint=f"of {key}"
            )
        if job.id not in self.lives:
            self.lives[job.id] = Life(job.id, is_design=True, expires_at=job.expires_at)
            if job.shopper_id is not None:
                self.shopper_of[job.id] = job.shopper_id
        else:
            assert key is not None
        return job.id

    def design(self) -> dict[str, Any]:
        return {
            "release_id": self.release, "count": 1, "condition": {}, "seed": 0, "size": 32,
            "format": "png",
        }  # fmt: skip

    def shopper(self) -> str:
        with self.records.transaction() as tx:
            return shoppers.ensure(tx, self.site, "anna").id

    @rule(target=tokens, job=all_jobs, worker=WORKERS)
    def claim(self, job: str, worker: str) -> Any:
        life = self.lives[job]
        with self.records.transaction() as tx:
            held = lifecycle.claim(tx, job, worker=worker, lease=LEASE, max_attempts=MAX_ATTEMPTS)
        assert (held is not None) == life.can_be_claimed(self.clock.now)
        if held is None:
            return multiple()
        life.claimed(self.clock.now)
        return held

    @rule(target=tokens, job=all_jobs)
    def deliver_twice(self, job: str) -> Any:
        """A message that came twice is worth one claim."""
        with self.records.transaction() as tx:
            both = [
                lifecycle.claim(tx, job, worker=name, lease=LEASE, max_attempts=MAX_ATTEMPTS)
                for name in ("one", "two")
            ]
        assert both[1] is None
        assert (both[0] is not None) == self.lives[job].can_be_claimed(self.clock.now)
        if both[0] is None:
            return multiple()
        self.lives[job].claimed(self.clock.now)
        return both[0]

    @rule(target=tokens, room=st.integers(1, 4), worker=WORKERS)
    def claim_batch(self, room: int, worker: str) -> Any:
        now = self.clock.now
        free = {
            one.id
            for one in self.lives.values()
            if one.waits(now) and one.attempts - one.spared < MAX_ATTEMPTS
        }
        with self.records.transaction() as tx:
            taken = lifecycle.claim_designs(
                tx, self.release, worker=worker, lease=LEASE, max_attempts=MAX_ATTEMPTS,
                most_images=room,
            )  # fmt: skip
        assert {job.id for job in taken} <= free
        assert len(taken) == min(room, len(free))
        for job in taken:
            self.lives[job.id].claimed(now)
        return multiple(*taken)

    @rule(token=tokens, renew=st.booleans())
    def heartbeat(self, token: JobRecord, renew: bool) -> None:  # noqa: FBT001 - as above
        life = self.lives[token.id]
        with self.records.transaction() as tx:
            found = lifecycle.still_held(tx, [token], lease=LEASE if renew else None)
        assert found == ({token.id: life.cancel_asked} if life.is_held_by(token) else {})
        if found and renew:
            life.lease_until = self.clock.now + LEASE

    @rule(token=tokens, state=ENDS)
    def finish(self, token: JobRecord, state: JobState) -> None:
        life = self.lives[token.id]
        refusal: type[Exception] | None = None
        if not life.is_held_by(token):
            refusal = LeaseLostError
        elif state is JobState.SUCCEEDED and life.cancel_asked:
            refusal = UnwantedError
        if refusal is not None:
            with pytest.raises(refusal), self.records.transaction() as tx:
                lifecycle.finish(tx, token, state, result={"by": token.fence})
            return
        with self.records.transaction() as tx:
            done = lifecycle.finish(tx, token, state, result={"by": token.fence})
        assert (done.state, done.result) == (state, {"by": token.fence})
        life.ended(state, state)

    @rule(held=st.lists(tokens, min_size=1, max_size=4, unique_by=lambda one: one.id))
    def finish_all(self, held: Sequence[JobRecord]) -> None:
        with self.records.transaction() as tx:
            done = lifecycle.finish_all(tx, [(one, {"by": one.fence}) for one in held])
        ours = [one for one in held if self.lives[one.id].is_held_by(one)]
        assert done == {one.id for one in ours if not self.lives[one.id].cancel_asked}
        for one in ours:
            unwanted = self.lives[one.id].cancel_asked
            state = JobState.CANCELLED if unwanted else JobState.SUCCEEDED
            self.lives[one.id].ended(state, "cancelled_by_caller" if unwanted else state)

    @rule(token=tokens, delay=st.sampled_from([0, 5, 90, 5000]), spare=st.booleans())
    def put_back(self, token: JobRecord, delay: int, spare: bool) -> None:  # noqa: FBT001 - as above
        def go(tx: Any) -> JobRecord:
            pause = timedelta(seconds=delay)
            return lifecycle.put_back(tx, token, reason=Reason.RETRYING, delay=pause, spare=spare)

        life = self.lives[token.id]
        if not life.is_held_by(token):
            with pytest.raises(LeaseLostError), self.records.transaction() as tx:
                go(tx)
            return
        with self.records.transaction() as tx:
            back = go(tx)
        longest = timedelta(minutes=10)
        until = self.clock.now + min(timedelta(seconds=delay), longest)
        life.put_back(until, "retrying", spare=spare)
        assert back.state is life.state

    @rule(token=tokens)
    def stall(self, token: JobRecord) -> None:
        life = self.lives[token.id]
        if not life.is_held_by(token):
            with pytest.raises(LeaseLostError), self.records.transaction() as tx:
                recovery.stall(tx, token, "nothing moved", **LIMITS)
            return
        with self.records.transaction() as tx:
            recovery.stall(tx, token, "nothing moved", **LIMITS)
        life.taken_away(self.clock.now, "stalled")

    @rule(seconds=st.sampled_from([1, 20, 61, 61, 700]))
    def pass_by(self, seconds: int) -> None:
        self.clock.now += timedelta(seconds=seconds)

    @rule(target=seen)
    def look_for_abandoned(self) -> Any:
        with self.records.transaction() as tx:
            found = jobs.abandoned(tx, most=100)
        lapsed = {one.id for one in self.lives.values() if one.is_lapsed(self.clock.now)}
        assert {job.id for job in found} == lapsed
        return multiple(*found)

    @rule(job=consumes(seen))
    def recover(self, job: JobRecord) -> None:
        """Do something about a job that was seen some time ago; it may be another's by now."""
        life = self.lives[job.id]
        with self.records.transaction() as tx:
            taken = recovery.recover(tx, job, **LIMITS)
        is_so = life.fence == job.fence and life.is_lapsed(self.clock.now)
        assert (taken is not None) == is_so
        if is_so:
            life.taken_away(self.clock.now, "lost_worker")

    @rule(job=all_jobs)
    def recover_what_may_be_well(self, job: str) -> None:
        """Whoever is held is left to its worker, whatever an upkeep believes."""
        with self.records.reading() as tx:
            as_it_stands = jobs.get(tx, job)
        self.recover(as_it_stands)

    @rule()
    def expire(self) -> None:
        late = [
            one
            for one in self.lives.values()
            if one.state is JobState.QUEUED
            and one.expires_at is not None
            and one.expires_at <= self.clock.now
        ]
        with self.records.transaction() as tx:
            assert lifecycle.expire(tx, most=100) == len(late)
        for one in late:
            one.failed("expired")

    @rule(limit=st.integers(1, MAX_ATTEMPTS))
    def wear_out(self, limit: int) -> None:
        """An operator may have lowered the limit meanwhile."""
        worn = [
            one
            for one in self.lives.values()
            if one.state is JobState.QUEUED and one.attempts and one.attempts - one.spared >= limit
        ]
        with self.records.transaction() as tx:
            assert recovery.wear_out(tx, max_attempts=limit, most=100) == len(worn)
        for one in worn:
            one.failed("attempts_exhausted")

    @rule(job=all_jobs)
    def request_cancel(self, job: str) -> None:
        life = self.lives[job]
        if life.state in {JobState.SUCCEEDED, JobState.FAILED}:
            with pytest.raises(ConflictError), self.records.transaction() as tx:
                lifecycle.request_cancel(tx, job, site_id=self.site)
            return
        with self.records.transaction() as tx:
            told = lifecycle.request_cancel(tx, job, site_id=self.site)
        if life.state is JobState.QUEUED or (life.state is JobState.RUNNING and life.is_design):
            life.cancelled()
        elif life.state is JobState.RUNNING:
            life.cancel_asked = True
        assert told.state is life.state

    @rule(token=tokens, is_done=st.booleans())
    def cancel_just_before_the_end(self, token: JobRecord, is_done: bool) -> None:  # noqa: FBT001 - as above
        self.request_cancel(token.id)
        if is_done:
            self.finish(token, JobState.SUCCEEDED)
        else:
            self.put_back(token, 5, spare=False)

    @rule()
    def withdraw(self) -> None:
        """The shopper is erased: whatever is under way for them is over at once."""
        shopper = self.shopper()
        open_jobs = [
            life
            for life in self.lives.values()
            if self.shopper_of.get(life.id) == shopper and life.state not in FINAL
        ]
        with self.records.transaction() as tx:
            assert lifecycle.withdraw(tx, shopper) == len(open_jobs)
        for one in open_jobs:
            one.cancelled()

    @invariant()
    def rows_are_as_the_model_says(self) -> None:
        with self.records.reading() as tx:
            rows = {job_id: jobs.get(tx, job_id) for job_id in self.lives}
        for job_id, row in rows.items():
            life = self.lives[job_id]
            told = (row.state, row.fence, row.attempts, row.spared, row.lease_expires_at)
            assert told == (life.state, life.fence, life.attempts, life.spared, life.lease_until)
            asked = life.cancel_asked or life.state is JobState.CANCELLED
            assert row.cancel_requested_at is None or asked
            if life.cancel_asked:
                assert row.cancel_requested_at is not None
            assert row.fence >= self.fences.get(job_id, 0)
            self.fences[job_id] = row.fence
            if job_id in self.over:
                assert row == self.over[job_id], "a final state was left, or written to"
            elif row.state in FINAL:
                assert row.finished_at is not None
                assert not MOVES[row.state]
                self.over[job_id] = row

    @invariant()
    def attempts_agree(self) -> None:
        with self.records.reading() as tx:
            found = tx.session.scalars(select(AttemptRow)).all()
        for life in self.lives.values():
            tries = sorted(
                (one for one in found if one.job_id == life.id), key=lambda one: one.number
            )
            assert [one.number for one in tries] == list(range(1, life.attempts + 1))
            closed = [one.outcome for one in tries if one.ended_at is not None]
            assert closed == life.outcomes
            still = [one.fence for one in tries if one.ended_at is None]
            assert still == ([life.fence] if life.state is JobState.RUNNING else [])
            assert len({one.fence for one in tries}) == len(tries)

    def teardown(self) -> None:
        with self.records.transaction() as tx:
            for table in (AttemptRow, IdempotencyKeyRow):
                tx.session.execute(delete(table))
            tx.session.execute(delete(JobRow).where(JobRow.kind == "design"))
            tx.session.execute(delete(Base.metadata.tables["shares"]))


def test_every_move_is_refused_or_does_what_was_asked(
    records: Records, clock: Clock, database: URL | None
) -> None:
    site = a_site(records)
    release = a_release(records, site).id
    with records.transaction() as tx:  # the release's own job is not of this
        tx.session.execute(update(JobRow).values(state=JobState.SUCCEEDED))
    run_state_machine_as_test(
        # Anything that makes one will do, though only the class is typed.
        lambda: Lives(records, clock, site, release),  # type: ignore[arg-type]
        settings=settings(
            max_examples=40 if database is None else 12,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )

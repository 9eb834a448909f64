"""The count: did every accepted job end exactly once in effect? Read from rows and artifacts."""

import hashlib
import io
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from PIL import Image
from sqlalchemy import RowMapping, select

from shared.artifacts import ArtifactStore
from shared.records import Records
from shared.records.tables import Base
from shared.schemas.jobs import JobKind, JobState, Reason
from tests.chaos.ledger import Ledger, Promise
from tests.chaos.verdict import Finding, Trouble, once

Rows = Sequence[RowMapping]
Loads = Callable[[Mapping[str, bytes]], str | None]
"""Draws with a release's files; returns what is wrong with it, or None."""

_TABLES: Final = {
    "jobs": "jobs",
    "attempts": "attempts",
    "keys": "idempotency_keys",
    "designs": "designs",
    "releases": "releases",
    "reports": "trend_reports",
    "forecasts": "trend_forecasts",
}
_RELEASE_FILES: Final = ("generator.npz", "generator.json", "card.json", "card.html", "grid.png")


@dataclass(frozen=True)
class Books:
    """All rows that count, and the store, as they are once everything is over.

    Attributes:
        known: jobs that were there before the first promise.
    """

    store: ArtifactStore
    known: frozenset[str]
    jobs: Mapping[str, RowMapping]
    attempts: Mapping[str, Rows]
    keys: Rows
    designs: Mapping[str, Rows]
    releases: Mapping[str, Rows]
    reports: Mapping[str, Rows]
    forecasts: Rows


def read_books(records: Records, store: ArtifactStore, *, known: Collection[str] = ()) -> Books:
    """Read all that counts in one transaction, so that it is of one moment."""
    rows: dict[str, Rows] = {}
    with records.reading() as tx:
        for name, table in _TABLES.items():
            found = tx.session.execute(select(Base.metadata.tables[table]))
            rows[name] = found.mappings().all()
    return Books(
        store=store,
        known=frozenset(known),
        jobs={row["id"]: row for row in rows["jobs"]},
        attempts=_by_job(rows["attempts"]),
        keys=rows["keys"],
        designs=_by_job(rows["designs"]),
        releases=_by_job(rows["releases"]),
        reports=_by_job(rows["reports"]),
        forecasts=rows["forecasts"],
    )


def _by_job(rows: Rows) -> dict[str, Rows]:
    found: defaultdict[str, list[RowMapping]] = defaultdict(list)
    for row in rows:
        found[row["job_id"]].append(row)
    return dict(found)


def count(books: Books, ledger: Ledger, *, loads: Loads) -> list[Finding]:
    """Return all troubles; an empty list is the proof.

    Args:
        books: what there is.
        ledger: what was promised.
        loads: tries whether a release draws.
    """

    def all_of_them() -> Iterator[Finding]:
        yield from (Finding(Trouble.REFUSED, "a client", told) for told in ledger.refusals)
        for key, promise in ledger.promises.items():
            yield from _promise(books, key, promise)
        yield from _nobodys(books, ledger)
        for job_id, job in books.jobs.items():
            if job_id not in books.known:
                yield from _job(books, job, loads)
        yield from _numbers(books)

    return once(all_of_them())


def _promise(books: Books, key: str, promise: Promise) -> Iterator[Finding]:
    """One key stands for the same jobs in each answer and in the rows; none of them is missing."""
    if len(set(promise.answers)) != 1:
        yield Finding(Trouble.MISJOINED, key, f"answered with {promise.answers}")
    held = {row["key"]: row["job_id"] for row in books.keys if row["key"].split(" ")[0] == key}
    for place, job_id in enumerate(promise.jobs):
        name = key if place == 0 else f"{key} {place}"
        if held.get(name) != job_id:
            yield Finding(Trouble.MISJOINED, name, f"{job_id} was told, {held.get(name)} is kept")
        kept = books.jobs.get(job_id)
        if kept is None:
            yield Finding(Trouble.LOST, job_id, f"a {promise.kind} job was accepted and is gone")
        else:
            yield from _as_asked(kept, promise, promise.asked[place])


def _as_asked(job: RowMapping, promise: Promise, asked: Mapping[str, Any]) -> Iterator[Finding]:
    spec = job["spec"]
    if job["kind"] != promise.kind:
        yield Finding(Trouble.INCONSISTENT, job["id"], f"is {job['kind']}, not {promise.kind}")
    for name in ("count", "seed", "model"):
        wanted = asked.get(name)
        if wanted is not None and spec.get(name) != wanted:
            told = f"{name} is {spec.get(name)!r}, {wanted!r} was asked"
            yield Finding(Trouble.INCONSISTENT, job["id"], told)


def _nobodys(books: Books, ledger: Ledger) -> Iterator[Finding]:
    """No job without a promise, but those of a schedule; no effect without its job."""
    promised = {job for promise in ledger.promises.values() for job in promise.jobs}
    for job_id, job in books.jobs.items():
        if job_id not in promised | books.known and job["period"] is None:
            yield Finding(Trouble.UNASKED, job_id, f"nobody was promised this {job['kind']} job")
    effects = {"design": books.designs, "release": books.releases, "report": books.reports}
    for name, found in effects.items():
        for job_id in found.keys() - books.known:
            made_by = books.jobs.get(job_id)
            state = None if made_by is None else made_by["state"]
            if state != JobState.SUCCEEDED:
                yield Finding(Trouble.ORPHANED, job_id, f"{name} of a job that is {state}")


def _job(books: Books, job: RowMapping, loads: Loads) -> Iterator[Finding]:
    if not JobState(job["state"]).is_final:
        told = f"{job['kind']} job is {job['state']} after {job['attempts']} tries"
        yield Finding(Trouble.STUCK, job["id"], told)
        return
    yield from _tries(job, books.attempts.get(job["id"], ()))
    if job["state"] != JobState.SUCCEEDED:
        yield Finding(Trouble.FAILED, job["id"], f"{job['state']}: {job['reason']} {job['error']}")
        return
    match job["kind"]:
        case JobKind.DESIGN:
            yield from _designs(books, job)
        case JobKind.TRAINING:
            yield from _release(books, job, loads)
        case JobKind.TREND_REPORT:
            yield from _report(books, job)


def _tries(job: RowMapping, attempts: Rows) -> Iterator[Finding]:
    """The tries are numbered without a gap, each fence is above the last, one at most succeeded."""
    ordered = sorted(attempts, key=lambda row: row["number"])
    numbers = [row["number"] for row in ordered]
    if numbers != list(range(1, job["attempts"] + 1)):
        told = f"{job['attempts']} tries, and rows for {numbers}"
        yield Finding(Trouble.INCONSISTENT, job["id"], told)
    fences = [row["fence"] for row in ordered]
    if sorted(set(fences)) != fences or any(fence > job["fence"] for fence in fences):
        told = f"fences {fences} under {job['fence']}"
        yield Finding(Trouble.INCONSISTENT, job["id"], told)
    open_ones = [row["number"] for row in ordered if row["ended_at"] is None]
    if open_ones:
        yield Finding(Trouble.INCONSISTENT, job["id"], f"over, and tries {open_ones} are open")
    good = {JobState.SUCCEEDED.value, Reason.UNCHANGED.value}
    outcomes = [row["outcome"] for row in ordered]
    succeeded = [place for place, outcome in enumerate(outcomes) if outcome in good]
    if len(succeeded) > 1:
        yield Finding(Trouble.DOUBLED, job["id"], f"its tries ended as {outcomes}")
    if (job["state"] == JobState.SUCCEEDED) != (succeeded == [len(ordered) - 1]):
        told = f"{job['state']}, and its tries ended as {outcomes}"
        yield Finding(Trouble.INCONSISTENT, job["id"], told)


def _designs(books: Books, job: RowMapping) -> Iterator[Finding]:
    """Exactly the designs that were asked for, in their places, each a whole picture."""
    rows = sorted(books.designs.get(job["id"], ()), key=lambda row: row["position"])
    wanted = job["spec"]["count"]
    positions = [row["position"] for row in rows]
    if len(rows) < wanted:
        yield Finding(Trouble.LOST, job["id"], f"{len(rows)} of {wanted} designs")
    elif positions != list(range(wanted)):
        yield Finding(Trouble.DOUBLED, job["id"], f"{wanted} designs, in places {positions}")
    told = [one["id"] for one in job["result"]["designs"]]
    if told != [row["id"] for row in rows]:
        yield Finding(Trouble.INCONSISTENT, job["id"], "its result names other designs")
    seeds, first = [row["seed"] for row in rows], job["spec"]["seed"]
    if seeds != list(range(first, first + len(rows))):
        yield Finding(Trouble.INCONSISTENT, job["id"], f"seeds {seeds} from {first}")
    for row in rows:
        wrong = _picture(books.store, row)
        if wrong:
            yield Finding(Trouble.DAMAGED, row["id"], wrong)


def _picture(store: ArtifactStore, row: RowMapping) -> str | None:
    """Return what is wrong with a design's picture, or None."""
    try:
        data = (
            store.read(row["artifact"])
            if row["length"] is None
            else store.read_range(row["artifact"], row["start"], row["length"])
        )
    except FileNotFoundError:
        return f"{row['artifact']} is not in the store"
    if hashlib.sha256(data).hexdigest() != row["sha256"]:
        return f"its bytes in {row['artifact']} are not those of its hash"
    return opened(data, side=row["size"])


def opened(data: bytes, *, side: int) -> str | None:
    """Return what keeps bytes from being a whole square picture of a size, or None."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            size = image.size
    except (OSError, SyntaxError) as error:
        return f"does not open: {error}"
    return None if size == (side, side) else f"is {size}, not {side} px"


def _release(books: Books, job: RowMapping, loads: Loads) -> Iterator[Finding]:
    """Exactly one release, as the result names it, whole, and it draws."""
    rows = books.releases.get(job["id"], ())
    if not rows:
        yield Finding(Trouble.LOST, job["id"], "a training without its release")
        return
    if len(rows) > 1:
        yield Finding(Trouble.DOUBLED, job["id"], f"{len(rows)} releases of one training")
    row = rows[0]
    if job["result"]["release_id"] != row["id"]:
        yield Finding(Trouble.INCONSISTENT, job["id"], "its result names another release")
    files = {}
    for name in _RELEASE_FILES:
        try:
            files[name] = books.store.read(f"{row['artifact']}{name}")
        except FileNotFoundError:
            yield Finding(Trouble.DAMAGED, row["id"], f"{name} is not in the store")
            return
    wrong = loads(files)
    if wrong:
        yield Finding(Trouble.DAMAGED, row["id"], wrong)


def _report(books: Books, job: RowMapping) -> Iterator[Finding]:
    """Exactly one report, or none where it says that nothing has changed; all its files whole."""
    rows = books.reports.get(job["id"], ())
    wanted = 0 if job["reason"] == Reason.UNCHANGED else 1
    if len(rows) < wanted:
        yield Finding(Trouble.LOST, job["id"], "a report job without its report")
    elif len(rows) > wanted:
        yield Finding(Trouble.DOUBLED, job["id"], f"{len(rows)} reports, {wanted} wanted")
    for row in rows:
        for name, key in row["files"].items():
            try:
                data = books.store.read(key)
            except FileNotFoundError:
                yield Finding(Trouble.DAMAGED, row["id"], f"{name} is not in the store")
                continue
            if name.endswith(".html") and b"</html>" not in data:
                yield Finding(Trouble.DAMAGED, row["id"], f"{name} is cut short")
        yield from _forecast(books, row)


def _forecast(books: Books, report: RowMapping) -> Iterator[Finding]:
    issued = [row for row in books.forecasts if row["report_id"] == report["id"]]
    if len(issued) != 1:
        yield Finding(Trouble.INCONSISTENT, report["id"], f"issued {len(issued)} forecasts")
    for row in issued:
        try:
            data = books.store.read(row["artifact"])
        except FileNotFoundError:
            yield Finding(Trouble.DAMAGED, report["id"], "what it issued is not in the store")
            continue
        if hashlib.sha256(data).hexdigest() != row["sha256"]:
            yield Finding(Trouble.DAMAGED, report["id"], "what it issued has another hash")


def _numbers(books: Books) -> Iterator[Finding]:
    """The releases of a model are numbered without a gap: none was published and taken back."""
    by_model: defaultdict[str, list[int]] = defaultdict(list)
    for rows in books.releases.values():
        for row in rows:
            by_model[row["model_id"]].append(row["number"])
    for model, numbers in by_model.items():
        if sorted(numbers) != list(range(1, len(numbers) + 1)):
            yield Finding(Trouble.INCONSISTENT, model, f"releases {sorted(numbers)}")


def tries_of(books: Books) -> dict[str, dict[int, int]]:
    """Return how many jobs of each kind took how many tries, and by how many they ended so."""
    found: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for job_id, job in books.jobs.items():
        if job_id not in books.known:
            found[job["kind"]][job["attempts"]] += 1
    return {kind: dict(sorted(counts.items())) for kind, counts in found.items()}


def outcomes_of(books: Books) -> dict[str, int]:
    """Return how the tries at all jobs ended, by outcome."""
    ended = Counter(
        str(row["outcome"])
        for job_id, rows in books.attempts.items()
        if job_id not in books.known
        for row in rows
    )
    return dict(sorted(ended.items()))

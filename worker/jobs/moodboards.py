"""Moodboard jobs: designs on each rise of a report, beside its evidence and the shop's garments."""

import json
from collections.abc import Sequence
from typing import Any, Final

from shared.artifacts import keys
from shared.errors import NotFoundError
from shared.records import Transaction, designs, models, reports, usage
from shared.schemas.boards import Board, Likeness, MoodboardSet, Rack, RackPiece
from shared.schemas.jobs import MoodboardSpec, Progress
from shared.schemas.models import Release
from shared.schemas.trends import TrendReport
from shared.taste.ranking import nearest
from worker.attempt import Attempt, Outcome, Publish
from worker.designs.personal import as_items
from worker.jobs.boarding import Group, Kept, draw_all, orders_of, piece_of, store_all
from worker.jobs.designs import GENERATORS
from worker.jobs.evidence import pictures_of
from worker.jobs.generators import Generators, Loaded
from worker.jobs.metering import used_alone
from worker.runtime import Runtime
from worker.trends.board_page import render_boards
from worker.trends.boards import BoardPlan, Plan, RackPlan, Takes, plan_boards

USUAL_COUNT: Final = 8
USUAL_RACK: Final = 24
ON_SALE: Final = 6
_RELEASES: Final = 20  # how far back a release is looked for that can serve a report
_FILES: Final = ("moodboard.json", reports.BOARD_PAGE)


def make_moodboards(attempt: Attempt, generators: Generators = GENERATORS) -> Publish:
    """Make the boards and racks of a report: one job, one publication.

    Raises:
        NotFoundError: the report or the release is gone.
        ReleaseCorruptError: the release's files are damaged.
    """
    runtime, job = attempt.runtime, attempt.job
    spec = MoodboardSpec.model_validate(job.spec)
    attempt.report(Progress(fraction=0, message="reading the report"))
    report = read_report(runtime, job.site_id, spec.report_id)
    release_id = spec.release_id
    if release_id is None:
        with runtime.records.reading() as tx:
            catalog_id = reports.get(tx, job.site_id, spec.report_id).report.catalog_id
            release, why = chosen_release(tx, job.site_id, report, catalog_id)
        if release is None:
            none = {"job_id": job.id, "boards": 0, "why": why}
            return lambda tx: _published(tx, spec, none, {}, [])
        release_id = release.id
    loaded = generators.get(runtime, release_id)
    generator = loaded.generator
    takes = Takes(generator.vocabulary, generator.slots > 0)
    plan = plan_boards(report, takes, rack=spec.rack)
    if plan.is_empty:
        told = {"job_id": job.id, "release_id": release_id, "boards": 0, "why": why_none(plan)}
        return lambda tx: _published(tx, spec, told, {}, [])
    spec = spec.model_copy(update={"release_id": release_id})
    orders = orders_of(spec, plan, release_id, size=generator.size)
    drawn = draw_all(attempt, loaded, orders)
    attempt.report(Progress(fraction=0.8, message="storing, and looking for garments like them"))
    kept = store_all(attempt, loaded, drawn)
    boards = _assembled(attempt, spec, plan, kept, loaded)
    files = _files(attempt, report, boards, kept)
    told = {"job_id": job.id, "release_id": release_id, "boards": len(boards.boards)}
    if not boards.boards:
        told["why"] = why_none(plan)

    def publish(tx: Transaction) -> Outcome:
        usage.add(tx, used_alone(job.site_id, designs=len(kept.rows), seconds=drawn.seconds))
        return _published(tx, spec, told, files, kept.rows)

    return publish


def chosen_release(
    tx: Transaction, site_id: str, report: TrendReport, catalog_id: str | None
) -> tuple[Release | None, str]:
    """Return the newest release that can serve a report, or None and the reason.

    Args:
        tx: the open transaction.
        site_id: whose release.
        report: with the evidence of its rises.
        catalog_id: of which the report is; its releases come first.
    """
    known = list(models.releases_page(tx, site_id, limit=_RELEASES).items)
    if not known:
        return None, "The site has no release yet; train a model and ask for moodboards then."
    for release in sorted(known, key=lambda one: one.catalog_id != catalog_id):
        plan = plan_boards(report, takes_of(release), rack=USUAL_RACK)
        if plan.boards:
            return release, ""
    first = min(known, key=lambda one: one.catalog_id != catalog_id)
    plan = plan_boards(report, takes_of(first), rack=USUAL_RACK)
    if plan.is_empty:
        return None, why_none(plan)
    return first, ""


def takes_of(release: Release) -> Takes:
    """Return what a release can be asked for."""
    return Takes(release.vocabulary, release.colours)


def why_none(plan: Plan) -> str:
    """Return why a report has no board, in a sentence or two."""
    if not plan.left_out:
        return "Nothing rises by more than chance, so there is nothing to make a board of."
    reasons = list(dict.fromkeys(f"{one.value}: {one.why}" for one in plan.left_out))
    return "No rise could have a board. " + " ".join(reasons[:3])


def read_report(runtime: Runtime, site_id: str, report_id: str) -> TrendReport:
    """Return a report as it was made.

    Raises:
        NotFoundError: there is none of that id, or its bytes are gone.
    """
    with runtime.records.reading() as tx:
        place = reports.get(tx, site_id, report_id)
    try:
        data = runtime.store.read(place.artifacts["report.json"])
    except FileNotFoundError:
        raise NotFoundError(
            f"The bytes of report {report_id} are not in the artifact store.", id=report_id
        ) from None
    return TrendReport.model_validate(json.loads(data))


def _assembled(
    attempt: Attempt, spec: MoodboardSpec, plan: Plan, kept: Kept, loaded: Loaded
) -> MoodboardSet:
    boards = tuple(
        _board(board, group, loaded) for board, group in zip(plan.boards, kept.boards, strict=True)
    )
    notes = [] if loaded.sight is not None else [
        "The release's catalog has no garment index, so no garments on sale are shown."
    ]  # fmt: skip
    with attempt.runtime.records.reading() as tx:
        now = tx.now
    return MoodboardSet(
        report_id=spec.report_id,
        release_id=str(spec.release_id),
        job_id=attempt.job.id,
        made_at=now,
        seed=spec.seed,
        boards=boards,
        left_out=plan.left_out,
        this_season=_rack(plan.this_season, kept),
        next_season=_rack(plan.next_season, kept),
        notes=tuple(notes),
    )


def _board(plan: BoardPlan, made: Group, loaded: Loaded) -> Board:
    change = plan.series.change
    return Board(
        attribute=plan.series.attribute,
        value=plan.series.value,
        condition=dict(plan.condition),
        change=0.0 if change is None else change.relative,
        images=plan.evidence.images,
        sources=plan.evidence.sources,
        designs=tuple(row["id"] for row in made.rows),
        evidence=plan.evidence.garments,
        on_sale=_on_sale(made, loaded),
    )


def _on_sale(made: Group, loaded: Loaded) -> tuple[Likeness, ...]:
    """Return the garments that look most like any of a board's designs."""
    if loaded.sight is None:
        return ()
    gallery = loaded.sight.gallery
    query = as_items([one.drawn for one in made.pictures], gallery.items.vocabulary)
    rows, distances = nearest(gallery.items, query, ON_SALE)
    least: dict[int, float] = {}
    for row, distance in zip(rows.ravel().tolist(), distances.ravel().tolist(), strict=True):
        least[row] = min(distance, least.get(row, distance))
    best = sorted(least.items(), key=lambda one: one[1])[:ON_SALE]
    return tuple(
        Likeness(garment_id=gallery.items.ids[row], distance=round(distance, 4))
        for row, distance in best
    )


def _rack(plan: RackPlan | None, kept: Kept) -> Rack | None:
    if plan is None:
        return None
    return Rack(
        first=plan.first,
        last=plan.last,
        shares={name: dict(values) for name, values in plan.shares.items()},
        pieces=tuple(
            RackPiece(condition=dict(one), design=kept.pieces[piece_of(one, place)].rows[0]["id"])
            for one, place in plan.pieces
        ),
    )


def _files(
    attempt: Attempt, report: TrendReport, boards: MoodboardSet, kept: Kept
) -> dict[str, str]:
    """Store the boards as data and as a page; returns name -> artifact key."""
    runtime, job = attempt.runtime, attempt.job
    garments = [name for one in boards.boards for name in one.evidence]
    garments += [like.garment_id for one in boards.boards for like in one.on_sale]
    pictures = pictures_of(runtime, job.site_id, garments)
    pictures |= {row["id"]: one.data for row, one in kept.pairs}
    page = render_boards(report, boards, pictures)
    return {
        name: runtime.store.put(
            keys.board_file(boards.report_id, job.id, job.fence, name), data
        ).key
        for name, data in zip(_FILES, (boards.model_dump_json().encode(), page), strict=True)
    }


def _published(
    tx: Transaction,
    spec: MoodboardSpec,
    told: dict[str, Any],
    files: dict[str, str],
    rows: Sequence[dict[str, Any]],
) -> Outcome:
    designs.publish(tx, rows)
    view = reports.add_moodboards(tx, spec.report_id, told=told, files=files)
    return Outcome(
        {
            "report_id": spec.report_id,
            "release_id": told.get("release_id"),
            "boards": told["boards"],
            "why": told.get("why"),
            "designs": len(rows),
            "seed": spec.seed,
            "page_url": view.moodboards.page_url,
        }
    )

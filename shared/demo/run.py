"""The demonstration: a catalog in, a model, designs and a trend report out, on this machine.

Everything goes through the HTTP API, as a shop's own programs would; only the site and its key are
made in the database, for that is an operator's work.
"""

import shutil
import signal
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

import click
from pydantic import Field

from shared.client import ApiError, Client
from shared.client.keyfile import save_key, saved_key
from shared.client.progress import watch
from shared.clock import utc_now
from shared.console import console_token
from shared.demo.plan import DesignWish, choices_of, plan_designs
from shared.demo.server import Server, served
from shared.demo.sheet import Row, contact_sheet
from shared.demo.sources import DemoCatalog, DemoKind, choose_catalog, draw_catalog
from shared.errors import ToileError, TooLittleDataError
from shared.records import Records, sites
from shared.schemas.base import Schema
from shared.schemas.catalogs import Catalog
from shared.schemas.designs import DesignRequest
from shared.schemas.jobs import Budget, Job
from shared.schemas.models import Release, TrainingRequest
from shared.schemas.reports import TrendRequest
from shared.settings import Settings

_SITE: Final = "demo"
_PREVIEW_SECONDS: Final = 10.0


class DemoOptions(Schema):
    """What the demonstration is asked."""

    catalog: Path | None = None
    minutes: float = Field(3, gt=0)
    designs: int = Field(64, ge=1)
    port: int | None = None
    keep: bool = False
    keras_home: Path = Path("~/.keras")
    quiet: bool = False


def run(settings: Settings, options: DemoOptions) -> dict[str, Any]:
    """Run the whole; return where everything is, with the seconds of each stage.

    Raises:
        ToileError: what went wrong; the stack is stopped all the same.
    """
    # As Ctrl-C: whatever was started must be stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    return _Demo(settings.model_copy(update={"home": settings.home.resolve()}), options).run()


class _Demo:
    """One run, and what it must remember: the time of each stage, and jobs not over yet."""

    def __init__(self, settings: Settings, options: DemoOptions) -> None:
        self._settings = settings
        self._options = options
        self._folder = settings.home / "demo"
        self._seconds: dict[str, float] = {}
        self._started = self._lap_started = time.monotonic()
        self._open_jobs: list[str] = []

    def run(self) -> dict[str, Any]:
        self._folder.mkdir(parents=True, exist_ok=True)
        chosen = self._choose()
        self._lap("catalog chosen")
        with served(
            self._settings,
            port=self._options.port,
            keep=self._options.keep,
            roots=[chosen.path if chosen.path.is_dir() else chosen.path.parent],
            log=self._folder / "stack.log",
        ) as server:
            self._greet(server)
            self._lap("stack started")
            summary = self._work(server, chosen)
            stays = self._options.keep or not server.own
            link = self._link(server.url) if stays else None
        self._lap("stack stopped")
        total = round(time.monotonic() - self._started, 1)
        summary |= {"url": server.url, "link": link, "seconds": self._seconds, "total": total}
        self._conclude(summary)
        return summary

    def _choose(self) -> DemoCatalog:
        chosen = choose_catalog(
            named=self._options.catalog and self._options.catalog.resolve(),
            keras_home=self._options.keras_home.expanduser(),
            work=self._folder,
            end=utc_now().date(),
        )
        self._say(chosen.words)
        return chosen

    def _work(self, server: Server, chosen: DemoCatalog) -> dict[str, Any]:
        secret = self._key()
        with Client(server.url, secret) as client:
            try:
                catalog = self._ingest(client, server, chosen)
                self._lap("catalog ingested")
                release = self._train(client, catalog)
                self._lap("model trained")
                sheet = self._design(client, release, catalog)
                self._lap("designs made")
                report = self._report(client, catalog)
                self._lap("trends reported")
            except KeyboardInterrupt:
                self._cancel(client)
                raise
        return {
            "catalog": catalog.id,
            "release": release.id,
            "contact_sheet": str(sheet),
            "report": str(report),
            "grids": str(self._folder / "grids"),
        }

    def _key(self) -> str:
        """Return the key that is kept here, or make the demonstration's site and one for it."""
        secret = saved_key(self._settings)
        with closing(Records(self._settings.database)) as records, records.transaction() as tx:
            if secret is not None and sites.find_key(tx, secret) is not None:
                return secret
            owner = sites.by_name(tx, _SITE) or sites.create(tx, _SITE)
            made = sites.create_key(tx, owner.id, name="demo")
        path = save_key(self._settings, made.secret)
        self._say(f"The site is `{_SITE}`; its API key is in {path} .")
        return made.secret

    def _ingest(self, client: Client, server: Server, chosen: DemoCatalog) -> Catalog:
        catalog = client.create_catalog(_name_of(chosen))
        if catalog.garments and chosen.kind is not DemoKind.NAMED:
            self._say(f"{catalog.garments:,} garments are there from an earlier run.")
            return catalog
        if server.own:
            job = client.add_path(catalog.id, str(chosen.path))
        elif chosen.path.is_file():
            job = client.add_archive(catalog.id, chosen.path)
        else:
            message = (
                f"The stack at {server.url} was started without leave to read {chosen.path}. Stop "
                "it and run the demo again, or pack the folder into a zip or tar."
            )
            raise ToileError(message)
        done = self._watch(client, job, "Ingest  ")
        result = done.result or {}
        self._say(
            f"{result['added']:,} garments taken in, {result['merged']:,} copies merged, "
            f"{result['rejected']:,} not taken."
        )
        return client.catalog(catalog.id)

    def _train(self, client: Client, catalog: Catalog) -> Release:
        grids = self._folder / "grids"
        shutil.rmtree(grids, ignore_errors=True)
        grids.mkdir(parents=True)
        job = client.train(
            TrainingRequest(
                catalog=catalog.id,
                model=catalog.name,
                budget=Budget(minutes=self._options.minutes),
                preview_seconds=_PREVIEW_SECONDS,
            )
        )
        done = self._watch(client, job, "Training", on_progress=_Grids(client, grids))
        release = client.release((done.result or {})["release_id"])
        client.download(release.grid_url, grids / "final.png")
        self._say(f"The sample grid of the release: {grids / 'final.png'}")
        return release

    def _design(self, client: Client, release: Release, catalog: Catalog) -> Path:
        choices = choices_of(release, catalog.attributes)
        wishes = plan_designs(choices, self._options.designs, counts=catalog.attributes)
        jobs = [
            client.design(
                DesignRequest(
                    release=release.id, count=wish.count, condition=wish.condition, seed=number
                )
            )
            for number, wish in enumerate(wishes)
        ]
        self._open_jobs += [job.id for job in jobs]
        self._say(f"{self._options.designs} designs asked for in {len(jobs)} jobs.")
        rows = [self._row(client, job, wish) for job, wish in zip(jobs, wishes, strict=True)]
        sheet = self._folder / "contact-sheet.png"
        title = f"{release.model} {release.number}: {self._options.minutes:g} minutes of training"
        sheet.write_bytes(contact_sheet(rows, title=title))
        self._say(f"The contact sheet: {sheet}")
        return sheet

    def _row(self, client: Client, job: Job, wish: DesignWish) -> Row:
        self._watch(client, job, f"Designs  {wish.title}")
        return Row(wish.title, [client.read(one.image_url) for one in client.designs(job.id)])

    def _report(self, client: Client, catalog: Catalog) -> Path:
        try:
            done = self._ask_for_report(client, catalog)
        except ApiError as error:
            if error.reason != TooLittleDataError.reason:
                raise
            self._say(f"No trend report of {catalog.name}: {error.message}")
            why = "so the report is of a second one"
            drawn = draw_catalog(self._folder, end=utc_now().date(), why=why)
            self._say(drawn.words)
            done = self._ask_for_report(client, self._upload(client, drawn))
        report = client.report((done.result or {})["report_id"])
        target = client.download(report.page_url, self._folder / "report.html")
        self._say(f"The trend report: {target}")
        return target

    def _ask_for_report(self, client: Client, catalog: Catalog) -> Job:
        return self._watch(
            client, client.trend_report(TrendRequest(catalog=catalog.id)), "Trends  "
        )

    def _upload(self, client: Client, chosen: DemoCatalog) -> Catalog:
        catalog = client.create_catalog(_name_of(chosen))
        if not catalog.garments:
            self._watch(client, client.add_archive(catalog.id, chosen.path), "Ingest  ")
        return catalog

    def _watch(self, client: Client, job: Job, title: str, **options: Any) -> Job:
        self._open_jobs.append(job.id)
        done = watch(client, job, title, quiet=self._options.quiet, **options)
        self._open_jobs = [one for one in self._open_jobs if one != job.id]
        return done

    def _cancel(self, client: Client) -> None:
        """Leave no job behind that would go on when the stack is started again."""
        self._say("\nStopping.")
        for job_id in dict.fromkeys(self._open_jobs):
            with suppress(ToileError):
                client.cancel(job_id)

    def _link(self, url: str) -> str | None:
        secret = saved_key(self._settings)
        with closing(Records(self._settings.database)) as records, records.reading() as tx:
            found = None if secret is None else sites.find_key(tx, secret)
        return (
            None
            if found is None
            else (f"{url}/login?token={console_token(self._settings, found.id)}")
        )

    def _greet(self, server: Server) -> None:
        if server.own:
            log = self._folder / "stack.log"
            self._say(f"The stack answers at {server.url} ; its processes' lines are in {log} .")
        else:
            self._say(f"A stack runs here already, at {server.url} ; it is used, and left running.")

    def _conclude(self, summary: dict[str, Any]) -> None:
        spent = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in self._seconds.items())
        self._say(f"\nDone in {summary['total']:.0f} s: {spent}.")
        self._say(f"  designs       {summary['contact_sheet']}")
        self._say(f"  trend report  {summary['report']}")
        self._say(f"  sample grids  {summary['grids']}")
        if summary["link"] is None:
            self._say("  the page      `make up` starts the stack again with all of this in it;")
            self._say(f"                {summary['url']} is the address, `toile console` logs in")
        else:
            self._say(f"  the page      {summary['link']}")

    def _lap(self, name: str) -> None:
        now = time.monotonic()
        self._seconds[name] = round(now - self._lap_started, 1)
        self._lap_started = now

    def _say(self, text: str) -> None:
        click.echo(text, err=self._options.quiet)


def _name_of(chosen: DemoCatalog) -> str:
    if chosen.kind is DemoKind.NAMED:
        return chosen.path.name.partition(".")[0] or "named"
    return chosen.kind.value


class _Grids:
    """Saves each new sample grid of a running training."""

    def __init__(self, client: Client, folder: Path) -> None:
        self._client = client
        self._folder = folder
        self._last = b""
        self._number = 0
        self._next = 0.0

    def __call__(self, job: Job) -> str | None:
        """Save the newest grid if it is new; returns what to tell."""
        shown = job.progress is not None and job.progress.preview_url is not None
        if not shown or time.monotonic() < self._next:
            return None
        self._next = time.monotonic() + _PREVIEW_SECONDS / 2
        picture = self._client.preview(job.id)
        if picture is None or picture == self._last:
            return None
        self._last = picture
        self._number += 1
        target = self._folder / f"{self._number:03d}.png"
        target.write_bytes(picture)
        return f"A sample grid: {target}"

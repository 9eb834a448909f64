"""The count from outside: what a shop sees of its jobs once all is over."""

from collections.abc import Iterator

from shared.client import ApiError, Client
from shared.schemas.designs import DesignRequest
from shared.schemas.jobs import Job, JobKind, JobState
from tests.chaos.counting import opened
from tests.chaos.ledger import Ledger
from tests.chaos.verdict import Finding, Trouble
from tests.chaos.world import World

_DRAW_SECONDS = 300.0


def seen_by_shops(world: World, ledger: Ledger) -> list[Finding]:
    """Look at every promised job over HTTP: its pictures, its release, its report's page."""
    found: list[Finding] = []
    for shop in world.shops:
        mine = [one for one in ledger.promises.values() if one.site == shop.name]
        with world.client(shop) as client:
            for job_id in sorted({job for promise in mine for job in promise.jobs}):
                try:
                    found.extend(_seen(client, client.job(job_id)))
                except ApiError as error:
                    found.append(Finding(Trouble.DAMAGED, job_id, f"over HTTP: {error}"))
    return found


def _seen(client: Client, job: Job) -> Iterator[Finding]:
    if job.state is not JobState.SUCCEEDED or job.result is None:
        return  # the rows have told of it
    if job.kind is JobKind.DESIGN:
        for made in job.result["designs"]:
            wrong = opened(client.read(made["image_url"]), side=job.spec["size"])
            if wrong:
                yield Finding(Trouble.DAMAGED, made["id"], f"over HTTP: {wrong}")
        return
    page = (
        job.result["card_url"]
        if job.kind is JobKind.TRAINING
        else client.report(job.result["report_id"]).page_url
    )
    if b"</html>" not in client.read(page):
        yield Finding(Trouble.DAMAGED, job.id, f"{page} is cut short")


def drawn_by_workers(world: World) -> list[Finding]:
    """Ask for a design of every release that was trained: the worker loads each as it does daily.

    Their jobs belong to no promise, so that this comes after the count.
    """
    found: list[Finding] = []
    for shop in world.shops:
        with world.client(shop) as client:
            planted = shop.release_id
            for model in client.models():
                release = model.newest_release_id
                if release is None or release == planted:
                    continue
                job = client.design(DesignRequest(release=release, seed=1))
                job = client.wait(job.id, timeout=_DRAW_SECONDS)
                if job.state is not JobState.SUCCEEDED:
                    found.append(Finding(Trouble.DAMAGED, release, f"draws nothing: {job.error}"))
    return found

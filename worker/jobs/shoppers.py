"""Shoppers to design for: their tastes, and the liked designs that new ones may begin at."""

from datetime import timedelta
from typing import Final

from shared.errors import ConflictError
from shared.records import Transaction, designs
from shared.schemas.designs import ForShopper, Term
from shared.schemas.jobs import DesignSpec, JobRecord
from shared.shoppers import tastes
from shared.shoppers.files import read_prior
from shared.shoppers.tastes import ShopperTaste
from shared.taste.observations import NOBODY
from worker.designs.personal import Liked, Shopper
from worker.jobs.eyes import Sight
from worker.runtime import Runtime

_MOST_LIKED: Final = 20
_DESIGN: Final = "des_"


def shopper_of(
    runtime: Runtime, job: JobRecord, spec: DesignSpec, way: ForShopper, sight: Sight | None
) -> Shopper:
    """Return the shopper that a job designs for, with the taste that they have now.

    Raises:
        ConflictError: the release's catalog has no index, so that nothing can be seen or scored.
        TasteCorruptError: the site's prior is damaged.
    """
    sight = seen_by(sight, spec.release_id)
    index, gallery = sight.index, sight.gallery
    with runtime.records.reading() as tx:
        prior = tastes.prior_for(
            tx, job.site_id, encoder=index.encoder, space=gallery.space,
            read=lambda found: read_prior(runtime.store, found),
        )  # fmt: skip
        found = tastes.of(
            tx, job.site_id, gallery, encoder=index.encoder, shopper_id=way.shopper_id, prior=prior,
            half_life=timedelta(days=runtime.settings.taste_half_life_days),
        )  # fmt: skip
        liked = _liked(tx, job.site_id, spec.release_id, found)
    return Shopper(found.taste, found.about, sight.targets, liked, found.filters)


def seen_by(sight: Sight | None, release_id: str) -> Sight:
    """Return what a release's designs are seen with.

    Raises:
        ConflictError: its catalog has no index.
    """
    if sight is None:
        raise ConflictError(
            f"Release {release_id} is of a catalog whose garments have no index, so neither a "
            "taste nor a trend has anything to go by. Train a model on the catalog once more.",
            release=release_id,
        )
    return sight


def _liked(tx: Transaction, site_id: str, release_id: str, found: ShopperTaste) -> list[Liked]:
    """Return the designs of the release that the shopper likes, the newest word first."""
    evidence = found.taste.evidence
    said = zip(
        evidence.items[: evidence.said], evidence.over[: evidence.said],
        evidence.seen.signs[: evidence.said], strict=True,
    )  # fmt: skip
    items = [
        found.about.items.ids[item] for item, over, sign in said if sign > 0 and over == NOBODY
    ]
    ours = [item for item in reversed(items) if item.startswith(_DESIGN)][:_MOST_LIKED]
    places = [designs.get(tx, site_id, design_id) for design_id in ours]
    return [
        Liked(
            one.origin.latent if one.origin else (Term(seed=one.seed, weight=1.0),), one.condition
        )
        for one in (place.design for place in places)
        if one.release_id == release_id and one.frames == 1
    ]

"""From a shopper or a picture to garments: which index to look in, and what it says."""

from datetime import timedelta

import numpy as np

from shared.errors import ConflictError
from shared.records import Transaction, catalogs, designs, garments, indexes, shoppers
from shared.records.indexes import Index
from shared.schemas.designs import Reason
from shared.schemas.shoppers import (
    Recommendation,
    Recommendations,
    Similar,
    SimilarGarments,
    TasteView,
)
from shared.shoppers import tastes
from shared.shoppers.placing import items_of
from shared.shoppers.tastes import ShopperTaste
from shared.taste import Gallery, Items
from shared.taste.ranking import Ranked, nearest, top
from shared.taste.reasons import reasons
from shared.taste.words import in_words
from web import auth
from web.runtime import runtime


def taste(ref: str, catalog: str | None) -> TasteView:
    """Return what is believed of a shopper, in words.

    Args:
        ref: the site's reference of the shopper.
        catalog: id or name; None for the one that was indexed last.

    Raises:
        NotFoundError: there is no such shopper or catalog.
        ConflictError: the catalog has no garment index yet.
    """
    with runtime().records.reading() as tx:
        shopper = shoppers.get(tx, auth.site_id(), ref)
        index = _index(tx, catalog)
        _, known = _learned(tx, index, shopper.id)
    told = in_words(
        known.taste.posterior, known.taste.evidence, known.about, wishes=known.taste.wishes
    )
    return TasteView(
        signals=told.signals,
        beliefs=told.beliefs,
        catalog_id=index.catalog_id,
        index_id=index.id,
        prior_shoppers=known.prior_shoppers,
        not_counted=known.not_counted,
    )


def recommendations(
    ref: str, catalog: str | None, *, count: int, relevance: float
) -> Recommendations:
    """Return garments for a shopper; one who is not known yet gets what shoppers like on the whole.

    Args:
        ref: the site's reference of the shopper.
        catalog: id or name; None for the one that was indexed last.
        count: most garments to return.
        relevance: 0..1, see `shared.taste.ranking.top`.

    Raises:
        NotFoundError: there is no such catalog.
        ConflictError: the catalog has no garment index yet.
    """
    with runtime().records.reading() as tx:
        shopper = shoppers.find(tx, auth.site_id(), ref)
        index = _index(tx, catalog)
        gallery, known = _learned(tx, index, None if shopper is None else shopper.id)
    left = None
    if known.filters:
        left = runtime().galleries.allowed(index, gallery, known.filters)
    ranked = top(
        gallery,
        known.taste.posterior,
        count=count,
        exclude=known.settled,
        allowed=left,
        relevance=relevance,
    )
    return Recommendations(
        catalog_id=index.catalog_id,
        index_id=index.id,
        signals=known.taste.evidence.effective,
        prior_shoppers=known.prior_shoppers,
        allowed=len(gallery.items) if left is None else int(left.sum()),
        items=tuple(_recommended(one, gallery, known) for one in ranked),
        not_counted=known.not_counted,
    )


def similar_to_design(design_id: str, catalog: str | None, *, count: int) -> SimilarGarments:
    """Return the garments that look most like a design.

    Args:
        design_id: the design.
        catalog: id or name; None for any whose encoder saw the design.
        count: most garments to return.

    Raises:
        NotFoundError: there is no such design or catalog.
        ConflictError: no encoder saw the design, or none that saw the catalog's garments.
    """
    site_id = auth.site_id()
    with runtime().records.reading() as tx:
        designs.get(tx, site_id, design_id)
        (seen,) = designs.seen(tx, site_id, [design_id])
        found = indexes.of_site(tx, site_id) if catalog is None else [_index(tx, catalog)]
    if seen.embedding is None:
        raise ConflictError(
            f"No encoder saw design {design_id}: its release's catalog had no garment index when "
            "it was made. Make it again with its seed, condition and `fresh`, and ask for the new "
            "one.",
            design=design_id,
        )
    fitting = [index for index in found if index.encoder == seen.encoder]
    if not fitting:
        raise ConflictError(
            f"Design {design_id} was seen by another encoder than the garments were, so that they "
            "cannot be compared. Make it again with its seed, condition and `fresh`, or name the "
            "catalog of its release.",
            design=design_id,
        )
    gallery = runtime().galleries.get(fitting[0])
    return _similar(fitting[0], gallery.items, items_of([seen]), count=count)


def similar_to_garment(garment_id: str, *, count: int) -> SimilarGarments:
    """Return the garments of its catalog that look most like a garment, itself not among them.

    Raises:
        NotFoundError: there is no such garment.
        ConflictError: it is in no index yet.
    """
    with runtime().records.reading() as tx:
        garment = garments.get(tx, auth.site_id(), garment_id).garment
        index = _index(tx, garment.catalog_id)
    items = runtime().galleries.get(index).items
    place = items.places.get(garment_id)
    if place is None:
        raise ConflictError(
            f"Garment {garment_id} came with version {garment.added_in_version} of its catalog, "
            f"and the newest garment index is of version {index.catalog_version}. Ask again when "
            "a worker has made the next one.",
            index=index.id,
        )
    return _similar(index, items, items.take(np.array([place])), count=count, but=garment_id)


def _index(tx: Transaction, catalog: str | None) -> Index:
    site_id = auth.site_id()
    if catalog is None:
        found = next(iter(indexes.of_site(tx, site_id)), None)
        name = "None of the site's catalogs"
    else:
        named = catalogs.own(tx, site_id, catalog)
        found = indexes.newest(tx, site_id, named.id)
        name = f"Catalog {named.name!r} is not one of those that"
    if found is None:
        raise ConflictError(
            f"{name} has a garment index yet, and without one nobody has looked at the garments. "
            "A worker makes it once there are garments; ask again later."
        )
    return found


def _learned(tx: Transaction, index: Index, shopper_id: str | None) -> tuple[Gallery, ShopperTaste]:
    here, site_id = runtime(), auth.site_id()
    gallery = here.galleries.get(index)
    prior = tastes.prior_for(
        tx, site_id, encoder=index.encoder, space=gallery.space, read=here.galleries.prior
    )
    known = tastes.of(
        tx,
        site_id,
        gallery,
        encoder=index.encoder,
        shopper_id=shopper_id,
        prior=prior,
        half_life=timedelta(days=here.settings.taste_half_life_days),
    )
    return gallery, known


def _recommended(one: Ranked, gallery: Gallery, known: ShopperTaste) -> Recommendation:
    taste = known.taste
    why = reasons(
        taste.posterior, taste.prior, taste.evidence, known.about, gallery.features[one.place]
    )
    return Recommendation(
        garment_id=one.id,
        score=one.score,
        probability=one.probability,
        reasons=tuple(Reason(item=item, share=share) for item, share in why),
        **_links(one.id),
    )


def _similar(
    index: Index, items: Items, query: Items, *, count: int, but: str | None = None
) -> SimilarGarments:
    rows, distances = nearest(items, query, count + 1)
    found = [
        (items.ids[row], distance)
        for row, distance in zip(rows[0].tolist(), distances[0].tolist(), strict=True)
        if items.ids[row] != but
    ]
    return SimilarGarments(
        catalog_id=index.catalog_id,
        index_id=index.id,
        items=tuple(_likeness(name, distance) for name, distance in found[:count]),
    )


def _likeness(garment_id: str, distance: float) -> Similar:
    return Similar(garment_id=garment_id, distance=distance, **_links(garment_id))


def _links(garment_id: str) -> dict[str, str]:
    url = f"/v1/garments/{garment_id}"
    return {"url": url, "image_url": f"{url}/image"}

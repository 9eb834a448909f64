"""Taste priors: what a site's shoppers like on the whole, learned again when they said more."""

import logging
from datetime import timedelta
from typing import Final

from shared import ids
from shared.artifacts import keys
from shared.records import indexes, preferences, priors, sites
from shared.records.indexes import Index
from shared.shoppers import tastes
from shared.shoppers.files import read_gallery
from shared.taste import Gallery, Prior
from shared.taste import prior as prior_of
from shared.taste.logistic import Observations
from worker.runtime import DRAINING, Runtime

LOG: Final = logging.getLogger(__name__)

LEAST_SHOPPERS: Final = 5
"""Of fewer the broad prior says as much."""

MOST_SHOPPERS: Final = 2_000
"""The newest are enough for a mean and a covariance, and are fitted in a minute."""


def learn_priors(runtime: Runtime) -> int:
    """Learn the priors of all sites whose shoppers said something since; returns how many.

    A shopper who was erased is no part of the next one. Two who do it at once write the same.
    """
    with runtime.records.reading() as tx:
        every = [
            (site.id, index) for site in sites.every(tx) for index in indexes.of_site(tx, site.id)
        ]
    return sum(
        _learn(runtime, site_id, index)
        for site_id, index in every
        if not DRAINING.is_set()  # the next beat finds them again
    )


def _learn(runtime: Runtime, site_id: str, index: Index) -> bool:
    with runtime.records.reading() as tx:
        kept = priors.find(tx, site_id, index.encoder)
        known = preferences.talkative(tx, site_id, most=MOST_SHOPPERS)
        changed = preferences.changed_at(tx, site_id)
    if len(known) < LEAST_SHOPPERS or changed is None:
        return False
    if kept is not None and kept.updated_at > max(changed, index.created_at):
        return False
    gallery = read_gallery(runtime.store, index)
    broad = prior_of.broad(gallery.space)
    seen = _observed(runtime, site_id, index, known, gallery=gallery, prior=broad)
    learned = prior_of.learn(seen, broad)
    key = keys.taste_prior(site_id, index.encoder, ids.new_id(ids.PRIOR))
    runtime.store.put(key, prior_of.write(learned))
    with runtime.records.transaction() as tx:
        priors.publish(tx, site_id, index.encoder, shoppers=len(seen), artifact=key)
    LOG.info("Learned the taste of %d shoppers of site %s", len(seen), site_id)
    return True


def _observed(
    runtime: Runtime,
    site_id: str,
    index: Index,
    shopper_ids: list[str],
    *,
    gallery: Gallery,
    prior: Prior,
) -> list[Observations]:
    half_life = timedelta(days=runtime.settings.taste_half_life_days)
    seen = []
    for shopper_id in shopper_ids:
        with runtime.records.reading() as tx:
            found = tastes.of(
                tx, site_id, gallery, encoder=index.encoder, shopper_id=shopper_id, prior=prior,
                half_life=half_life,
            )  # fmt: skip
        if found.taste.evidence.said:
            seen.append(found.taste.evidence.seen)
    return seen

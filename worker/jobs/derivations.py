"""Derivations: what is told of a catalog's garments that nobody labelled, made when it changes."""

import logging
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared import ids
from shared.artifacts import keys
from shared.derivations import STYLE, Derived, DerivedColumn, read, write
from shared.errors import ArtifactDamagedError, TasteCorruptError, ToileError
from shared.records import Transaction, derivations, indexes
from shared.records.derivations import Derivation, Due
from shared.schemas.derivations import DerivationCard
from shared.shoppers.files import GARMENTS
from shared.taste import index as garment_index
from worker.jobs.deriving import (
    attributes_told,
    measured_columns,
    predicted_columns,
    style_cards,
    style_column,
    styles_of,
)
from worker.jobs.described import Described, described
from worker.labels.styles import FEWEST, Styles
from worker.pictures.patterns import LEAST_SIDE
from worker.runtime import DRAINING, Runtime

LOG: Final = logging.getLogger(__name__)

_FORMAT: Final = 1
"""Counts up when garments would be told otherwise; all catalogs are derived again then."""

Floats = NDArray[np.float32]


def derive_stale(runtime: Runtime) -> int:
    """Derive again what changed: catalogs that have grown, or were trained on; returns how many.

    One that cannot be derived is logged and does not stop the others. Two who do it at once make
    two equal derivations, of which the newer is used.
    """
    with runtime.records.reading() as tx:
        found = derivations.due(tx, recipe_of(runtime))
    made = 0
    for due in found:
        if DRAINING.is_set():  # the next beat finds them again
            break
        try:
            derive(runtime, due)
        except (ToileError, FileNotFoundError):
            LOG.exception("Catalog %s could not be derived", due.catalog_id)
        else:
            made += 1
    return made


def recipe_of(runtime: Runtime) -> str:
    """Return what a derivation depends on besides the catalog and its index."""
    return f"{_FORMAT}:{runtime.settings.prediction_limit:g}"


def derive(runtime: Runtime, due: Due) -> Derivation:
    """Derive a catalog version and publish it.

    Only garments that no earlier derivation holds are looked at for their pattern.
    """
    earlier = _earlier(runtime, due)
    with runtime.records.reading() as tx:
        garments = described(tx, due.catalog_id, due.catalog_version)
        encoder, artifact = _index_of(tx, due)
    measured = measured_columns(runtime, garments, None if earlier is None else earlier[1])
    if artifact is None:
        columns, card = measured, _card(garments, measured)
    else:
        embeddings = _embeddings(runtime, garments, artifact)
        styles = styles_of(garments, embeddings, earlier, due.catalog_version)
        limit = runtime.settings.prediction_limit
        columns, told = predicted_columns(garments, measured, embeddings, styles, limit)
        card = _card(garments, columns, encoder=encoder).model_copy(
            update={"attributes": attributes_told(garments, columns, told)}
        )
        if styles is not None:
            columns = {**columns, STYLE: style_column(styles)}
            card = _with_styles(card, styles, garments, columns)
    return _published(runtime, due, Derived(garments.ids, columns), _carried(card, earlier))


def _earlier(runtime: Runtime, due: Due) -> tuple[Derivation, Derived] | None:
    """Return the derivation before, with no garments where its file is lost.

    Its card still tells which style numbers were given, so that none is given again.
    """
    with runtime.records.reading() as tx:
        found = derivations.newest(tx, due.site_id, due.catalog_id, version=due.catalog_version)
    if found is None:
        return None
    try:
        return found, read(runtime.store.read(found.artifact))
    except (FileNotFoundError, ArtifactDamagedError, TasteCorruptError) as error:
        LOG.warning("Derivation %s cannot be built upon: %s", found.id, error)
        return found, Derived((), {})


def _index_of(tx: Transaction, due: Due) -> tuple[str | None, str | None]:
    """Return the encoder's digest, and where the index's files are; None where there is none."""
    if due.index_id is None:
        return None, None
    index = indexes.get(tx, due.index_id)
    return index.encoder, index.artifact


def _embeddings(runtime: Runtime, garments: Described, artifact: str) -> Floats:
    """Return float32 [n, 128], in the garments' order."""
    items = garment_index.read(runtime.store.read(f"{artifact}{GARMENTS}"))
    if items.ids == garments.ids:
        return items.embeddings
    return items.embeddings[[items.place(name) for name in garments.ids]]


def _card(
    garments: Described, columns: dict[str, DerivedColumn], *, encoder: str | None = None
) -> DerivationCard:
    """Return the card of a derivation without styles."""
    reason = f"styles need {FEWEST} garments"
    if encoder is None:
        reason = "no model was trained on the catalog yet, so that no encoder has seen its garments"
    return DerivationCard(
        garments=len(garments),
        encoder=encoder,
        reason=reason,
        attributes=attributes_told(garments, columns, {}),
        styles=(),
        next_style=1,
        styles_chosen_for=0,
        styles_agreement={},
        styles_retired=(),
        without_style=len(garments),
        pattern_least_side=LEAST_SIDE,
    )


def _with_styles(
    card: DerivationCard, styles: Styles, garments: Described, columns: dict[str, DerivedColumn]
) -> DerivationCard:
    return card.model_copy(
        update={
            "reason": None,
            "styles": style_cards(styles, garments, columns),
            "next_style": styles.next_number,
            "styles_chosen_for": styles.chosen_for,
            "styles_agreement": styles.agreements,
            "styles_retired": styles.retired,
            "without_style": int((styles.numbers < 0).sum()),
        }
    )


def _carried(card: DerivationCard, earlier: tuple[Derivation, Derived] | None) -> DerivationCard:
    """Never give a number twice, even where a derivation in between had no styles."""
    if earlier is None:
        return card
    return card.model_copy(update={"next_style": max(card.next_style, earlier[0].card.next_style)})


def _published(runtime: Runtime, due: Due, derived: Derived, card: DerivationCard) -> Derivation:
    derivation_id = ids.new_id(ids.DERIVATION)
    key = keys.derivation(due.catalog_id, derivation_id)
    runtime.store.put(key, write(derived))
    with runtime.records.transaction() as tx:
        published = derivations.publish(
            tx, due, derivation_id=derivation_id, recipe=recipe_of(runtime), artifact=key, card=card
        )
    LOG.info(
        "Derivation %s tells of %d garments of catalog %s: %d styles",
        derivation_id, card.garments, due.catalog_id, len(card.styles),
    )  # fmt: skip
    return published

"""What was derived of garments, as the API tells it."""

from shared.derivations import STYLE
from shared.errors import NotFoundError
from shared.records import Transaction, catalogs, derivations
from shared.records.derivations import Derivation
from shared.schemas.catalogs import Garment, GarmentDetail
from shared.schemas.derivations import (
    CatalogStyles,
    DerivedLabelView,
    StyleCard,
    StyleView,
    TypicalGarment,
)
from web import auth
from web.runtime import runtime

_WAITING = "no worker has looked at the catalog yet; it does within a minute or two"


def with_derived(tx: Transaction, garment: Garment) -> GarmentDetail:
    """Return a garment with the labels that nobody gave.

    Raises:
        NotFoundError: the bytes of the derivation are gone.
    """
    found = derivations.newest(tx, auth.site_id(), garment.catalog_id)
    told = {} if found is None else _labels(found, garment.id)
    return GarmentDetail(**dict(garment), derived=told)


def _labels(derivation: Derivation, garment_id: str) -> dict[str, DerivedLabelView]:
    try:
        derived = runtime().labels.get(derivation)
    except FileNotFoundError:
        raise NotFoundError(
            f"The bytes of derivation {derivation.id} are not in the artifact store."
        ) from None
    return {
        name: DerivedLabelView(value=one.value, origin=one.origin, confidence=one.confidence)
        for name, one in derived.of(garment_id).items()
    }


def styles_of(catalog: str) -> CatalogStyles:
    """Return the styles of a catalog, the largest first.

    Args:
        catalog: id or name.

    Raises:
        NotFoundError: the site has no such catalog.
    """
    with runtime().records.reading() as tx:
        named = catalogs.get(tx, auth.site_id(), catalog)
        found = derivations.newest(tx, auth.site_id(), named.id)
    return told(named.id, found)


def told(catalog_id: str, found: Derivation | None) -> CatalogStyles:
    """Return a derivation as the API tells it; None before the first."""
    if found is None:
        return CatalogStyles(
            catalog_id=catalog_id, catalog_version=None, derived_at=None, reason=_WAITING,
            without_style=0, retired=(), styles=(), attributes={},
        )  # fmt: skip
    card = found.card
    return CatalogStyles(
        catalog_id=catalog_id,
        catalog_version=found.catalog_version,
        derived_at=found.created_at,
        reason=card.reason,
        without_style=card.without_style,
        retired=card.styles_retired,
        styles=tuple(_view(style) for style in sorted(card.styles, key=lambda one: -one.garments)),
        attributes=card.attributes,
    )


def _view(style: StyleCard) -> StyleView:
    return StyleView(
        **style.model_dump(include={"number", "garments", "tightness", "kept", "since"}),
        name=f"{STYLE} {style.number}",
        traits=style.traits,
        typical=tuple(_typical(garment_id) for garment_id in style.typical),
    )


def _typical(garment_id: str) -> TypicalGarment:
    url = f"/v1/garments/{garment_id}"
    return TypicalGarment(garment_id=garment_id, url=url, image_url=f"{url}/image")

"""Training jobs: from a request to a spec that a worker can follow."""

from typing import Final

from flask import Response, request

from shared.errors import CatalogTooSmallError, InvalidInputError
from shared.records import Transaction, catalogs
from shared.schemas.catalogs import Catalog
from shared.schemas.jobs import TrainingSpec
from shared.schemas.models import (
    MINIMUM_GARMENTS,
    MINIMUM_OF_VALUE,
    USUAL_SIZE,
    TrainingRequest,
)
from shared.schemas.problems import Fault
from web import auth
from web.accept import Promise, accept
from web.api.noun import accepted_job, noun, problems
from web.choices import unknown
from web.runtime import runtime

api: Final = noun("training", "Training a model on a catalog.")

_USUAL: Final = ("category", "colour")


@api.post("/training-jobs", responses={"202": accepted_job(), **problems(400, 413, 415)})
def train(body: TrainingRequest, header: Promise) -> Response:
    """Train a model on a catalog; the job's result names the release."""
    return accept(header, request.get_json(), lambda: _resolve(body))


def _resolve(asked: TrainingRequest) -> TrainingSpec:
    with runtime().records.reading() as tx:
        catalog = catalogs.get(tx, auth.site_id(), asked.catalog)
        version, garments = _version(tx, catalog, asked.catalog_version)
    return spec_of(asked, catalog, version=version, garments=garments)


def spec_of(
    asked: TrainingRequest, catalog: Catalog, *, version: int, garments: int
) -> TrainingSpec:
    """Return the spec of a training.

    Args:
        asked: the request.
        catalog: the catalog that it names.
        version: which version of the catalog to train on.
        garments: how many garments that version holds.

    Raises:
        CatalogTooSmallError: the version holds too few.
        InvalidInputError: the catalog has no such size or attribute.
    """
    if garments < MINIMUM_GARMENTS or catalog.image_size is None:
        raise CatalogTooSmallError(
            f"Catalog {catalog.name!r} holds {garments} garments; a model needs at least "
            f"{MINIMUM_GARMENTS} to learn from. Add more and ask again.",
            garments=garments,
            least=MINIMUM_GARMENTS,
        )
    return TrainingSpec(
        catalog_id=catalog.id,
        catalog_version=version,
        model=asked.model,
        size=_size(asked.size, catalog.image_size),
        preset=asked.preset,
        budget=asked.budget,
        seed=asked.seed,
        attributes=_attributes(asked.attributes, catalog),
        preview_seconds=asked.preview_seconds,
        checkpoint_seconds=asked.checkpoint_seconds,
    )


def _version(tx: Transaction, catalog: Catalog, asked: int | None) -> tuple[int, int]:
    if asked is None:
        return catalog.version, catalog.garments
    # Compared first: the database takes no number of any length.
    garments = catalogs.garments_in(tx, catalog.id, asked) if asked <= catalog.version else None
    if garments is None:
        versions = f"the versions 1 to {catalog.version}" if catalog.version else "no version yet"
        raise InvalidInputError(
            f"Catalog {catalog.name!r} has {versions}, not {asked}. Leave it out for the newest.",
            errors=[Fault(location=("catalog_version",), message="no such version")],
            newest=catalog.version,
        )
    return asked, garments


def _size(asked: int | None, stored: int) -> int:
    if asked is not None and asked > stored:
        raise InvalidInputError(
            f"The catalog's pictures are kept at {stored} px, so a model of {asked} px cannot be "
            f"trained on them. Ask for {stored} or less, or ingest into a new catalog with a "
            "larger image_size.",
            errors=[Fault(location=("size",), message=f"expected at most {stored}")],
            largest=stored,
        )
    return asked or min(stored, USUAL_SIZE)


def _attributes(asked: tuple[str, ...] | None, catalog: Catalog) -> tuple[str, ...]:
    if asked is None:
        return tuple(name for name in _USUAL if _learnable(catalog, name))
    for place, name in enumerate(asked):
        if name not in catalog.attributes:
            what = f"an attribute of catalog {catalog.name!r}"
            raise unknown(what, name, catalog.attributes, place=("attributes", place))
        if not _learnable(catalog, name):
            raise InvalidInputError(
                f"Of {name!r} fewer than two values have {MINIMUM_OF_VALUE} garments or more, so "
                "there is nothing to choose between. Leave it out, or add garments.",
                errors=[Fault(location=("attributes", place), message="too few garments a value")],
            )
    return tuple(dict.fromkeys(asked))


def _learnable(catalog: Catalog, name: str) -> bool:
    counts = catalog.attributes.get(name, {}).values()
    return sum(count >= MINIMUM_OF_VALUE for count in counts) > 1

"""Training jobs: from a request to a spec that a worker can follow."""

from typing import Final

from flask import Response, request

from shared.errors import CatalogTooSmallError, InvalidInputError
from shared.records import Transaction, catalogs, models
from shared.schemas.catalogs import Catalog
from shared.schemas.jobs import TrainingSpec
from shared.schemas.keys import Scope
from shared.schemas.models import (
    MINIMUM_GARMENTS,
    MINIMUM_OF_VALUE,
    USUAL_SIZE,
    Release,
    TrainingRequest,
)
from shared.schemas.problems import Fault
from web import auth
from web.accept import Promise, accept
from web.api.noun import accepted_job, noun, problems
from web.choices import unknown
from web.runtime import runtime

api: Final = noun("training", "Training a model on a catalog.", scope=Scope.TRAIN)

_CATEGORY: Final = "category"
_COLOUR: Final = "colour"
_RGB: Final = 3


@api.post("/training-jobs", responses={"202": accepted_job(), **problems(400, 409, 413, 415)})
def train(body: TrainingRequest, header: Promise) -> Response:
    """Train a model on a catalog; the job's result names the release."""
    return accept(header, request.get_json(), lambda: _resolve(body))


def _resolve(asked: TrainingRequest) -> TrainingSpec:
    site_id = auth.site_id()
    with runtime().records.reading() as tx:
        catalog = catalogs.own(tx, site_id, asked.catalog)
        version, garments = _version(tx, catalog, asked.catalog_version)
        base = None
        if asked.from_release is not None:
            base = models.release(tx, asked.from_release, site_id=site_id, own=True).release
    return spec_of(asked, catalog, version=version, garments=garments, base=base)


def spec_of(
    asked: TrainingRequest,
    catalog: Catalog,
    *,
    version: int,
    garments: int,
    base: Release | None = None,
) -> TrainingSpec:
    """Return the spec of a training.

    Args:
        asked: the request.
        catalog: the catalog that it names.
        version: which version of the catalog to train on.
        garments: how many garments that version holds.
        base: the release to go on from, where it names one.

    Raises:
        CatalogTooSmallError: the version holds too few.
        InvalidInputError: the catalog has no such size or attribute, or does not fit the release.
    """
    if garments < MINIMUM_GARMENTS or catalog.image_size is None:
        raise CatalogTooSmallError(
            f"Catalog {catalog.name!r} holds {garments} garments; a model needs at least "
            f"{MINIMUM_GARMENTS} to learn from. Add more and ask again.",
            garments=garments,
            least=MINIMUM_GARMENTS,
        )
    attributes = _attributes(asked.attributes, catalog, base)
    if base is not None:
        _check_fits(asked, catalog, base, attributes=attributes)
    return TrainingSpec(
        catalog_id=catalog.id,
        catalog_version=version,
        model=asked.model,
        size=_size(asked.size, catalog.image_size) if base is None else base.size,
        preset=asked.preset,
        width=asked.width,
        precision=asked.precision,
        balance=asked.balance,
        budget=asked.budget,
        early_stop=asked.early_stop,
        heldout=asked.heldout,
        seed=asked.seed,
        attributes=attributes,
        colours=_takes_colours(catalog, base, attributes=attributes),
        from_release=None if base is None else base.id,
        preview_seconds=asked.preview_seconds,
        checkpoint_seconds=asked.checkpoint_seconds,
    )


def _takes_colours(catalog: Catalog, base: Release | None, *, attributes: tuple[str, ...]) -> bool:
    """Whether the measured colours are a condition. They and a label `colour` would contradict."""
    if base is not None:
        return base.colours
    return catalog.channels == _RGB and _COLOUR not in attributes


def _check_fits(
    asked: TrainingRequest, catalog: Catalog, base: Release, *, attributes: tuple[str, ...]
) -> None:
    """Refuse what a release's weights cannot be tuned to."""
    if base.channels != catalog.channels:
        words = {1: "grey", 3: "in colour"}
        raise _unfit(
            "from_release",
            f"Release {base.id} makes pictures that are {words[base.channels]}, and those of "
            f"catalog {catalog.name!r} are {words.get(catalog.channels or 0, 'unknown')}. Name a "
            "release of such pictures, or leave `from_release` out to train anew.",
        )
    if base.size > (catalog.image_size or 0):
        raise _unfit(
            "from_release",
            f"Release {base.id} makes pictures of {base.size} px, and those of catalog "
            f"{catalog.name!r} are kept at {catalog.image_size} px. Name a smaller release, or "
            "ingest into a catalog with a larger image_size.",
        )
    if asked.size not in {None, base.size}:
        raise _unfit(
            "size",
            f"Release {base.id} makes pictures of {base.size} px, and tuning it cannot change "
            "that. Leave `size` out, or leave `from_release` out to train anew.",
            expected=base.size,
        )
    if base.colours and _COLOUR in attributes:
        raise _unfit(
            "attributes",
            f"Release {base.id} takes colours as they were measured, so `colour` cannot become "
            "one of its labels. Leave it out of `attributes`, or train anew.",
        )
    _check_same_network(asked, base)


def _check_same_network(asked: TrainingRequest, base: Release) -> None:
    recipe = base.card.get("recipe")
    told = recipe if isinstance(recipe, dict) else {}
    for name, wanted in (("preset", asked.preset), ("width", asked.width)):
        has = told.get(name)
        if wanted != "auto" and has not in {None, "auto", wanted}:
            raise _unfit(
                name,
                f"Release {base.id} has the {name} {has!r}, and tuning it cannot change that. "
                f"Leave `{name}` out, or leave `from_release` out to train anew.",
                expected=has,
            )


def _unfit(field: str, message: str, **details: object) -> InvalidInputError:
    fault = Fault(location=(field,), message="does not fit the release to go on from")
    return InvalidInputError(message, errors=[fault], **details)


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


def _attributes(
    asked: tuple[str, ...] | None, catalog: Catalog, base: Release | None
) -> tuple[str, ...]:
    if asked is None:
        return tuple(name for name in _usual(catalog, base) if _learnable(catalog, name))
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


def _usual(catalog: Catalog, base: Release | None) -> tuple[str, ...]:
    if base is not None:
        return tuple(base.vocabulary)
    return (_CATEGORY,) if catalog.channels == _RGB else (_CATEGORY, _COLOUR)


def _learnable(catalog: Catalog, name: str) -> bool:
    counts = catalog.attributes.get(name, {}).values()
    return sum(count >= MINIMUM_OF_VALUE for count in counts) > 1

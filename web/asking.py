"""From a request for designs to the spec of a job: the release, the condition, the terms."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol

from shared.colour import FAMILY_NAMES, code_of, nearest_family
from shared.errors import ConflictError, InvalidInputError, NotFoundError
from shared.jobs.submit import Asked, Terms
from shared.records import Transaction, forecasts, indexes, models, shoppers
from shared.records.designs import DesignPlace
from shared.records.models import ReleasePlace
from shared.schemas.designs import (
    COLOUR_KEYS,
    DesignRequest,
    ForShopper,
    Fresh,
    Priority,
    TrendLean,
    Way,
)
from shared.schemas.jobs import DesignSpec
from shared.schemas.models import Release
from shared.schemas.problems import Fault
from web import auth
from web.choices import unknown
from web.runtime import runtime

_SEEDS: Final = 2**31
_COLOUR: Final = "colour"
_CANDIDATES_EACH: Final = 16
_LEAST_CANDIDATES: Final = 64
_MOST_CANDIDATES: Final = 256


class OnTerms(Protocol):
    """A request that says how urgent it is."""

    @property
    def priority(self) -> Priority:
        """How urgent it is."""
        ...

    @property
    def expires_in(self) -> float | None:
        """Seconds after which nobody wants it."""
        ...

    @property
    def fresh(self) -> bool:
        """Whether an earlier answer will not do."""
        ...

    @property
    def seed(self) -> int | None:
        """What to start from."""
        ...


def one(request: DesignRequest) -> Asked:
    """Return the job that a request asks for.

    Raises:
        InvalidInputError, NotFoundError: it names what the release or the site does not have.
        NoWorkerError, QueueFullError, QuotaExceededError: it could not be made in time.
    """
    (asked,) = several([request])
    return asked


def own(request: DesignRequest) -> DesignRequest:
    """Return a request as its caller may mean it: a shopper's session asks for that shopper.

    Raises:
        NotFoundError: it names another one.
    """
    ref = auth.caller().shopper_ref
    if request.shopper is not None:
        ref = auth.ref_of(request.shopper)
    return request.model_copy(update={"shopper": ref})


def check_own(place: DesignPlace) -> None:
    """Refuse a shopper's session another one's design, as if it were not there.

    Raises:
        NotFoundError: it is not that shopper's.
    """
    if not auth.owns(place.shopper_id):
        design_id = place.design.id
        raise NotFoundError(f"There is no design {design_id!r}.", id=design_id)


def several(requests: Sequence[DesignRequest]) -> list[Asked]:
    """Return the jobs that requests ask for; what is wrong with one refuses all.

    Raises:
        InvalidInputError, NotFoundError: naming the request by its place where there are several.
        NoWorkerError, QueueFullError, QuotaExceededError: they could not be made in time.
    """
    runtime().admission.admit(auth.site_id(), len(requests))
    shopper_ids = _shoppers(requests)
    found: dict[tuple[str | None, str | None], ReleasePlace] = {}
    asked: list[Asked] = []
    with runtime().records.reading() as tx:
        for place, request in enumerate(requests):
            name = (request.release, request.model)
            try:
                if name not in found:
                    found[name] = _release(tx, request)
                    runtime().admission.admit_release(found[name].release)
                way = _way(tx, request, found[name], shopper_ids)
                spec = spec_of(request, found[name].release, seed=fresh_seed(), way=way)
                spec = spec.model_copy(update={"trend": _lean(tx, request, found[name])})
            except InvalidInputError as error:
                raise _at(place, error) if len(requests) > 1 else error from None
            asked.append(Asked(spec, _terms(request, way)))
    return asked


def _shoppers(requests: Sequence[DesignRequest]) -> dict[str, str]:
    """Return the ids of the shoppers that requests name, made where they are new."""
    refs = {request.shopper for request in requests if request.shopper is not None}
    if not refs:
        return {}
    asker = auth.caller()
    if asker.shopper_id is not None and asker.shopper_ref is not None:
        # Never made anew: who was erased a moment ago stays erased, whatever their browser asks.
        return {asker.shopper_ref: asker.shopper_id}
    with runtime().records.transaction() as tx:
        return {ref: shoppers.ensure(tx, auth.site_id(), ref).id for ref in sorted(refs)}


def _way(
    tx: Transaction, asked: DesignRequest, place: ReleasePlace, shopper_ids: Mapping[str, str]
) -> Way:
    if asked.shopper is None:
        if asked.candidates is not None:
            message = "`candidates` are proposed for a shopper; name one as `shopper`."
            fault = Fault(location=("candidates",), message="expected `shopper` beside it")
            raise InvalidInputError(message, errors=[fault])
        return Fresh()
    _require_index(tx, place)
    usual = min(max(_LEAST_CANDIDATES, _CANDIDATES_EACH * asked.count), _MOST_CANDIDATES)
    candidates = max(asked.candidates or usual, asked.count)
    return ForShopper(shopper_id=shopper_ids[asked.shopper], candidates=candidates)


def _lean(tx: Transaction, asked: DesignRequest, place: ReleasePlace) -> TrendLean | None:
    """Return the lean of a request: which report it goes by is settled now, once for all."""
    if not asked.trend:
        return None
    site_id, catalog_id = auth.site_id(), place.release.catalog_id
    _require_index(tx, place)
    issued = forecasts.newest(tx, site_id, catalog_id) or forecasts.newest(tx, site_id, None)
    if issued is None:
        raise ConflictError(
            "There is no trend report to lean on yet. POST /v1/trend-reports makes one; or leave "
            "`trend` out."
        )
    return TrendLean(strength=asked.trend, report_id=issued.report_id)


def _require_index(tx: Transaction, place: ReleasePlace) -> None:
    catalog_id = place.release.catalog_id
    if indexes.newest(tx, place.site_id, catalog_id) is None:
        raise ConflictError(
            f"Release {place.release.id} is of a catalog whose garments have no index, so neither "
            "a shopper's taste nor a trend has anything to go by. Train a model on the catalog "
            "once more.",
            catalog=catalog_id,
        )


def _terms(request: DesignRequest, way: Way) -> Terms:
    """A shopper's designs follow their taste, which changes: no earlier answer stands for one."""
    if not isinstance(way, ForShopper):
        return terms_of(request)
    return replace(terms_of(request, repeatable=False), shopper_id=way.shopper_id)


def fresh_seed() -> int:
    """Return a seed that nobody named."""
    return secrets.randbelow(_SEEDS)


def terms_of(request: OnTerms, *, repeatable: bool | None = None) -> Terms:
    """Return the terms of a request; with a seed of its own an earlier answer may stand for it."""
    return Terms(
        priority=request.priority,
        expires_in=request.expires_in,
        fresh=request.fresh,
        repeatable=request.seed is not None if repeatable is None else repeatable,
    )


def condition_of(asked: Mapping[str, str], release: Release) -> dict[str, str]:
    """Return a condition in the words of a release.

    Raises:
        InvalidInputError: the release knows no such attribute, value or colour.
    """
    return {name: _value(name, value, release) for name, value in asked.items()}


def _at(place: int, error: InvalidInputError) -> InvalidInputError:
    faults = [
        fault.model_copy(update={"location": ("requests", place, *fault.location)})
        for fault in error.details.get("errors", ())
    ]
    details = {**error.details, "errors": faults}
    return InvalidInputError(f"Request {place}: {error.message}", **details)


def spec_of(
    asked: DesignRequest, release: Release, *, seed: int, way: Way | None = None
) -> DesignSpec:
    """Return the spec of a design job.

    Args:
        asked: the request.
        release: the release that it names.
        seed: what to start from where the request names no seed.
        way: how the designs come about; each from its own seed where None.

    Raises:
        InvalidInputError: the release knows no such attribute or value, or is too small.
    """
    return DesignSpec(
        release_id=release.id,
        count=asked.count,
        condition=condition_of(asked.condition, release),
        seed=seed if asked.seed is None else asked.seed,
        size=size_of(asked.size, release),
        format=asked.format,
        variety=asked.variety,
        way=way or Fresh(),
    )


def _release(tx: Transaction, asked: DesignRequest) -> ReleasePlace:
    if (asked.release is None) == (asked.model is None):
        raise InvalidInputError(
            "Give either `release` or `model`: a release stays the same for ever, a model stands "
            "for its newest release. GET /v1/models lists both.",
            errors=[Fault(location=("release",), message="expected one of `release`, `model`")],
        )
    site_id = auth.site_id()
    reference = asked.release
    if reference is None:
        model = models.get(tx, site_id, str(asked.model))
        # A model is made with its first release, so there is one.
        reference = str(model.newest_release_id)
    return models.release(tx, reference, site_id=site_id)


def _value(name: str, value: str, release: Release) -> str:
    if release.colours and name in COLOUR_KEYS:
        return _colour(name, value)
    known = release.vocabulary.get(name)
    if known is None:
        what = "an attribute that this release knows"
        allowed = (*release.vocabulary, *(COLOUR_KEYS if release.colours else ()))
        raise unknown(what, name, allowed, place=("condition", name))
    if value in known:
        return value
    if name == _COLOUR and value.startswith("#"):
        family = nearest_family(value, known)
        if family is not None:
            return family
    raise unknown(f"a {name} that this release knows", value, known, place=("condition", name))


def _colour(name: str, value: str) -> str:
    """Return a colour as it was given; the worker knows what it stands for."""
    if code_of(value) is None:
        what = "a colour: neither #rrggbb nor one of the families"
        raise unknown(what, value, FAMILY_NAMES, place=("condition", name))
    return value


def size_of(asked: int | None, release: Release) -> int:
    """Return the side of the pictures: what was asked, or the release's own.

    Raises:
        InvalidInputError: the release makes none as large.
    """
    if asked is not None and asked > release.size:
        raise InvalidInputError(
            f"This release makes pictures of {release.size} px, not of {asked}. Ask for "
            f"{release.size} or less, or train a larger model.",
            errors=[Fault(location=("size",), message=f"expected at most {release.size}")],
            largest=release.size,
        )
    return asked or release.size

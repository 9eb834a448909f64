"""From requests for variations, mixes and walks to the specs of jobs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from shared.colour import blend, code_of
from shared.errors import InvalidInputError
from shared.jobs.submit import Asked
from shared.records import Transaction, designs, jobs, models
from shared.schemas.designs import (
    COLOUR_KEYS,
    USUAL_VARIETY,
    DerivedRequest,
    Design,
    Latent,
    Mix,
    MixRequest,
    Term,
    Variation,
    VariationRequest,
    Walk,
    WalkRequest,
    Way,
)
from shared.schemas.jobs import DesignSpec
from shared.schemas.models import Release
from shared.schemas.problems import Fault
from web import auth
from web.asking import check_own, condition_of, fresh_seed, size_of, terms_of
from web.runtime import runtime


@dataclass(frozen=True)
class Parent:
    """A design that others are made from, and what makes it again."""

    design: Design
    release: Release
    variety: float
    shopper_id: str | None

    @property
    def latent(self) -> Latent:
        """Its latent, as seeds and weights."""
        origin = self.design.origin
        return (Term(seed=self.design.seed, weight=1.0),) if origin is None else origin.latent


def variation(design_id: str, asked: VariationRequest) -> Asked:
    """Return the job that makes variations of a design.

    Raises:
        NotFoundError: the site has no such design.
        InvalidInputError: the release knows no such condition, or the design is an animation.
    """
    _admit()
    with runtime().records.reading() as tx:
        parent = _parent(tx, design_id)
    changed = condition_of(asked.condition, parent.release)
    way = Variation(
        of=design_id, seed=parent.design.seed, latent=parent.latent, strength=asked.strength
    )
    condition = {**parent.design.condition, **changed}
    return _asked(asked, parent, way, condition, count=asked.count)


def mix(asked: MixRequest) -> Asked:
    """Return the job that makes designs between two.

    Labels are those of the nearer one, where they are spread those of the first; colours are mixed.

    Raises:
        NotFoundError: the site has no such design.
        InvalidInputError: they are of different releases, or one is an animation.
    """
    first, second = _parents(asked.first, asked.second)
    way = Mix(
        of=(asked.first, asked.second),
        seeds=(first.design.seed, second.design.seed),
        first=first.latent,
        second=second.latent,
        share=asked.share,
    )
    share = 1 / 2 if asked.share is None else asked.share
    condition = _mixed(first, second, share)
    return _asked(asked, first, way, condition, count=asked.count)


def walk(asked: WalkRequest) -> Asked:
    """Return the job that makes an animation from a design to another.

    Raises:
        NotFoundError: the site has no such design.
        InvalidInputError: they are of different releases, or one is an animation.
    """
    first, second = _parents(asked.first, asked.second)
    way = Walk(
        of=(asked.first, asked.second),
        seeds=(first.design.seed, second.design.seed),
        first=first.latent,
        second=second.latent,
        end_condition=second.design.condition,
        frames=asked.frames,
        frame_milliseconds=asked.frame_milliseconds,
    )
    return _asked(asked, first, way, first.design.condition, count=1)


def _admit() -> None:
    runtime().admission.admit(auth.site_id(), 1)


def _parents(first: str, second: str) -> tuple[Parent, Parent]:
    _admit()
    with runtime().records.reading() as tx:
        one, other = _parent(tx, first), _parent(tx, second)
    if one.release.id != other.release.id:
        raise InvalidInputError(
            f"{first} is of release {one.release.id} and {second} of {other.release.id}. Only "
            "designs of one release have anything between them.",
            errors=[Fault(location=("second",), message=f"expected one of {one.release.id}")],
        )
    owners = {one.shopper_id, other.shopper_id} - {None}
    if len(owners) > 1:
        raise InvalidInputError(
            f"{first} and {second} are two shoppers' designs. What is made of both could be "
            "erased with neither.",
            errors=[Fault(location=("second",), message="expected one of the same shopper")],
        )
    return replace(one, shopper_id=next(iter(owners), None)), other


def _parent(tx: Transaction, design_id: str) -> Parent:
    site_id = auth.site_id()
    place = designs.get(tx, site_id, design_id)
    check_own(place)
    design = place.design
    if design.frames > 1:
        raise InvalidInputError(
            f"{design_id} is an animation. Name one of the designs that it was made from: "
            f"{', '.join(design.origin.of) if design.origin else 'see its job'}.",
        )
    release = models.release(tx, design.release_id, site_id=site_id).release
    spec = jobs.get(tx, design.job_id).spec
    variety = float(spec.get("variety", USUAL_VARIETY))
    return Parent(design, release, variety, place.shopper_id)


def _mixed(first: Parent, second: Parent, share: float) -> dict[str, str]:
    nearer = second if share > 1 / 2 else first
    condition = dict(nearer.design.condition)
    if not first.release.colours:
        return condition
    for name in COLOUR_KEYS:
        one, other = _code(first.design.condition, name), _code(second.design.condition, name)
        if one is not None and other is not None:
            condition[name] = blend(one, other, share)
    return condition


def _code(condition: Mapping[str, str], name: str) -> str | None:
    return code_of(condition[name]) if name in condition else None


def _asked(
    asked: DerivedRequest, parent: Parent, way: Way, condition: Mapping[str, str], *, count: int
) -> Asked:
    runtime().admission.admit_release(parent.release)
    design = parent.design
    # Only variations draw anything: what lies between two designs is the same each time.
    draws = isinstance(way, Variation) and asked.seed is None
    spec = DesignSpec(
        release_id=parent.release.id,
        count=count,
        condition=dict(condition),
        seed=fresh_seed() if draws else asked.seed or 0,
        size=size_of(asked.size or design.size, parent.release),
        format=asked.format,
        variety=parent.variety,
        way=way,
    )
    # What is made from a shopper's designs is theirs too, and goes when they do.
    terms = terms_of(asked, repeatable=not draws)
    return Asked(spec, replace(terms, shopper_id=parent.shopper_id))

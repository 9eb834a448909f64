"""One batch of designs on the device: members in, one forward pass, images or an error for each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from types import MappingProxyType
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from shared.colour import FAMILY_NAMES, code_of
from shared.errors import InvalidInputError, OutOfMemoryError, ToileError
from shared.schemas.designs import COLOUR_KEYS, Reason, Walk
from shared.schemas.jobs import DesignSpec
from worker.designs.orders import Order, orders_of

_MEMORY_ERRORS: Final = frozenset({"ResourceExhaustedError"})
"""TensorFlow's own, told by name so that this module need not load TensorFlow."""


class Generates(Protocol):
    """What a batch needs of a release's generator."""

    @property
    def size(self) -> int:
        """Side of its pictures, pixels."""
        ...

    @property
    def slots(self) -> int:
        """How many colours it can be asked for: 0, or 2 where the release takes any colour."""
        ...

    @property
    def vocabulary(self) -> Mapping[str, tuple[str, ...]]:
        """The attributes and values that it can be asked for."""
        ...

    @property
    def nbytes(self) -> int:
        """Memory that it holds, bytes."""
        ...

    def generate(
        self,
        seeds: Sequence[int],
        conditions: Sequence[Mapping[str, str]],
        *,
        temper: Sequence[float],
        blends: Sequence[Sequence[tuple[int, float]]],
    ) -> NDArray[np.uint8]:
        """Return uint8 [n, size, size, channels], one picture a seed, condition, temper and blend.

        A condition's colours, where the release takes them, are ``#rrggbb``; a blend is the
        (seed, weight) pairs whose latents add up to the picture's.
        """
        ...

    def complete(
        self, seeds: Sequence[int], conditions: Sequence[Mapping[str, str]]
    ) -> list[dict[str, str]]:
        """Return the conditions with what was left open as `generate` draws it."""
        ...


@dataclass(frozen=True)
class Drawn:
    """One image as the device made it, and all that makes it again.

    Attributes:
        order: what was asked of the device.
        condition: whole, with what was left open as it was drawn.
        pixels: uint8 [height, width, 1 or 3].
        score: how sure the shopper's taste is of it, 0..1; None without a shopper.
        reasons: the signals that moved the score most.
        embedding: float32 [d], as the catalog's encoder sees it; None where it was not looked at.
        colours: measured main and second colour, CIELAB float32 [2, 3]; NaN where there is none.
        is_copy: whether it is nearer to a garment than new ones are.
        replaced: how often it was drawn anew because it was a copy.
    """

    order: Order
    condition: Mapping[str, str]
    pixels: NDArray[np.uint8]
    score: float | None = None
    reasons: tuple[Reason, ...] | None = None
    embedding: NDArray[np.float32] | None = None
    colours: NDArray[np.float32] | None = None
    is_copy: bool = False
    replaced: int = 0


@dataclass(frozen=True)
class Member:
    """What one member of a batch came to on the device: its images, or why there are none.

    `told` is what the job's result says of a lean towards what rises.
    """

    spec: DesignSpec
    drawn: tuple[Drawn, ...] = ()
    error: Exception | None = None
    told: Mapping[str, Any] | None = None


def draw(
    generator: Generates,
    specs: Sequence[DesignSpec],
    *,
    orders: Callable[[int, DesignSpec], Sequence[Order]] | None = None,
) -> list[Member]:
    """Draw the images of all members in one forward pass; one bad member fails alone.

    A pass for which there is too little memory is done again in halves; a member that is too
    large by itself ends with that error.

    Args:
        generator: the release's generator.
        specs: what each member asks for.
        orders: turns a spec, with its place, into the images to make, and raises where that member
            alone cannot be served; unset, `orders_of`.

    Returns:
        One member a spec, in their order.
    """
    asked = orders or (lambda _, spec: orders_of(spec, slots=generator.slots))
    members = [Member(spec) for spec in specs]
    good: list[tuple[int, Sequence[Order]]] = []
    for index, spec in enumerate(specs):
        try:
            refuse_unknown(generator, spec)
            good.append((index, asked(index, spec)))
        except ToileError as error:
            members[index] = Member(spec, error=error)
    pixels = _pass_in_halves(generator, [wanted for _, wanted in good])
    for (index, wanted), result in zip(good, pixels, strict=True):
        members[index] = _member(generator, specs[index], wanted, result)
    return members


def paint(generator: Generates, orders: Sequence[Order]) -> list[Drawn]:
    """Make some images in one pass, and tell what was drawn for what they left open."""
    (pixels,) = _forward(generator, [orders])
    return _drawn(generator, orders, pixels)


def told_as_asked(spec: DesignSpec, drawn: Drawn) -> Drawn:
    """Return a design whose condition says what was asked in the words in which it was asked.

    `navy` stays `navy`, and gives the same again. The steps of a walk have conditions of their own.
    """
    if isinstance(spec.way, Walk):
        return drawn
    return replace(drawn, condition={**drawn.condition, **spec.condition})


def _member(
    generator: Generates,
    spec: DesignSpec,
    orders: Sequence[Order],
    result: NDArray[np.uint8] | Exception,
) -> Member:
    if isinstance(result, Exception):
        return Member(spec, error=result)
    asked = {} if isinstance(spec.way, Walk) else spec.condition
    return Member(spec, tuple(_drawn(generator, orders, result, asked)))


def _drawn(
    generator: Generates,
    orders: Sequence[Order],
    pixels: NDArray[np.uint8],
    asked: Mapping[str, str] = MappingProxyType({}),
) -> list[Drawn]:
    """Return what was drawn; its condition is whole, and in the words in which it was asked."""
    seeds = [order.seed for order in orders]
    whole = generator.complete(seeds, [order.condition for order in orders])
    return [
        Drawn(order, {**condition, **asked}, each)
        for order, condition, each in zip(orders, whole, pixels, strict=True)
    ]


def _pass_in_halves(
    generator: Generates, batch: Sequence[Sequence[Order]]
) -> list[NDArray[np.uint8] | Exception]:
    try:
        return list(_forward(generator, batch))
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        if len(batch) == 1:
            return [_too_large(batch[0])]
    half = len(batch) // 2
    return [*_pass_in_halves(generator, batch[:half]), *_pass_in_halves(generator, batch[half:])]


def _forward(generator: Generates, batch: Sequence[Sequence[Order]]) -> list[NDArray[np.uint8]]:
    orders = [order for member in batch for order in member]
    if not orders:
        return []
    pixels = generator.generate(
        [order.seed for order in orders],
        [order.condition for order in orders],
        temper=[order.variety for order in orders],
        blends=[[(term.seed, term.weight) for term in order.latent] for order in orders],
    )
    ends = list(accumulate(len(member) for member in batch))
    return [pixels[end - len(member) : end] for member, end in zip(batch, ends, strict=True)]


def is_out_of_memory(error: Exception) -> bool:
    """Return whether an error says that the machine or device has too little memory."""
    return isinstance(error, MemoryError) or type(error).__name__ in _MEMORY_ERRORS


def _too_large(orders: Sequence[Order]) -> OutOfMemoryError:
    return OutOfMemoryError(
        f"The worker has too little memory for the {len(orders)} images of this job, even alone. "
        "Ask for fewer at a time, or give the worker more memory."
    )


def refuse_unknown(generator: Generates, spec: DesignSpec) -> None:
    """Look that the generator can make what a member asks for.

    Raises:
        InvalidInputError: it is too large, or an attribute, value or colour is not known.
    """
    if spec.size > generator.size:
        raise InvalidInputError(
            f"The release makes pictures of {generator.size} px and {spec.size} px were asked "
            "for. Ask for that or less, or train a model at a larger size.",
            size=spec.size,
        )
    asked = [*spec.condition.items()]
    if isinstance(spec.way, Walk):
        asked += spec.way.end_condition.items()
    for name, value in asked:
        _refuse_value(generator, name, value)


def _refuse_value(generator: Generates, name: str, value: str) -> None:
    if name in COLOUR_KEYS[: generator.slots]:
        if code_of(value) is None:
            raise _no_colour(name, value)
        return
    known = generator.vocabulary.get(name, ())
    if value not in known:
        raise InvalidInputError(
            f"The release does not know {name} = {value!r}. It knows: "
            f"{', '.join(known) or 'no such attribute'}.",
            attribute=name,
            value=value,
        )


def _no_colour(name: str, value: str) -> ToileError:
    return InvalidInputError(
        f"{name} = {value!r} is no colour. Expected #rrggbb or one of: {', '.join(FAMILY_NAMES)}.",
        attribute=name,
        value=value,
    )

"""One batch of designs: members in, one forward pass, pictures or an error for each member."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from shared.colour import FAMILY_NAMES, code_of
from shared.errors import InvalidInputError, ToileError
from shared.pictures.likeness import as_signed, perceptual_hashes
from shared.schemas.designs import COLOUR_KEYS
from shared.schemas.jobs import DesignSpec
from worker.designs.images import encode

_ENCODERS: Final = 4
_SEEDS: Final = 2**31

# The XMP packet for a member of a batch and a position in its job, or None for none.
Stamp = Callable[[int, int], bytes | None]


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

    def generate(
        self,
        seeds: Sequence[int],
        conditions: Sequence[Mapping[str, str]],
        *,
        temper: Sequence[float],
    ) -> NDArray[np.uint8]:
        """Return uint8 [n, size, size, channels], one picture a seed, condition and temper.

        A condition's colours, where the release takes them, are ``#rrggbb``.
        """
        ...

    def complete(
        self, seeds: Sequence[int], conditions: Sequence[Mapping[str, str]]
    ) -> list[dict[str, str]]:
        """Return the conditions with what was left open as `generate` draws it."""
        ...


@dataclass(frozen=True)
class Picture:
    """One encoded design, and the seed and whole condition that make it again.

    ``perceptual_hash`` is what its pixels are found by, a signed integer of 64 bits.
    """

    seed: int
    condition: Mapping[str, str]
    data: bytes
    perceptual_hash: int


@dataclass(frozen=True)
class Made:
    """What one member of a batch came to: its pictures, or why there are none."""

    pictures: tuple[Picture, ...] = ()
    error: Exception | None = None


def seeds_of(spec: DesignSpec) -> list[int]:
    """Return the seed of each design of a job: its own, counted up from the job's."""
    return [(spec.seed + position) % _SEEDS for position in range(spec.count)]


def make(
    generator: Generates,
    members: Sequence[DesignSpec],
    *,
    is_wanted: Callable[[int], bool] = lambda _index: True,
    stamp: Stamp = lambda _index, _position: None,
) -> list[Made]:
    """Make the designs of all members in one forward pass; one bad member fails alone.

    Args:
        generator: the release's generator.
        members: what each asks for.
        is_wanted: asked after the forward pass, by the member's place: one that was cancelled
            meanwhile is not encoded.
        stamp: gives the XMP packet that the picture of a member at a position of its job carries.

    Returns:
        One outcome a member, in their order.
    """
    outcomes: dict[int, Made] = {}
    good: list[int] = []
    for index, spec in enumerate(members):
        error = _refusal(generator, spec)
        if error is None:
            good.append(index)
        else:
            outcomes[index] = Made(error=error)
    pixels = _forward(generator, [members[index] for index in good])
    wanted = [(index, part) for index, part in zip(good, pixels, strict=True) if is_wanted(index)]
    with ThreadPoolExecutor(_ENCODERS) as pool:
        encoded = pool.map(
            lambda pair: _encode_all(generator, members[pair[0]], pair[1], partial(stamp, pair[0])),
            wanted,
        )
        outcomes.update({index: made for (index, _), made in zip(wanted, encoded, strict=True)})
    return [outcomes.get(index, Made()) for index in range(len(members))]


def _refusal(generator: Generates, spec: DesignSpec) -> ToileError | None:
    """Return why the generator cannot make what a member asks for, or None where it can."""
    if spec.size > generator.size:
        return InvalidInputError(
            f"The release makes pictures of {generator.size} px and {spec.size} px were asked "
            "for. Ask for that or less, or train a model at a larger size.",
            size=spec.size,
        )
    for name, value in spec.condition.items():
        if name in _colour_keys(generator):
            if code_of(value) is None:
                return _no_colour(name, value)
            continue
        known = generator.vocabulary.get(name, ())
        if value not in known:
            return InvalidInputError(
                f"The release does not know {name} = {value!r}. It knows: "
                f"{', '.join(known) or 'no such attribute'}.",
                attribute=name,
                value=value,
            )
    return None


def _no_colour(name: str, value: str) -> ToileError:
    return InvalidInputError(
        f"{name} = {value!r} is no colour. Expected #rrggbb or one of: {', '.join(FAMILY_NAMES)}.",
        attribute=name,
        value=value,
    )


def _colour_keys(generator: Generates) -> tuple[str, ...]:
    """Return the condition keys that are colours to this generator, not labels."""
    return COLOUR_KEYS[: generator.slots]


def _conditions(generator: Generates, spec: DesignSpec) -> list[dict[str, str]]:
    """Return what the generator is asked for each design: colours as codes, families too."""
    colours = _colour_keys(generator)
    condition = {
        name: (code_of(value) or value) if name in colours else value
        for name, value in spec.condition.items()
    }
    return [condition] * spec.count


def _forward(generator: Generates, members: Sequence[DesignSpec]) -> list[NDArray[np.uint8]]:
    seeds = [seed for spec in members for seed in seeds_of(spec)]
    conditions = [one for spec in members for one in _conditions(generator, spec)]
    if not seeds:
        return []
    temper = [spec.variety for spec in members for _ in range(spec.count)]
    pixels = generator.generate(seeds, conditions, temper=temper)
    edges = np.cumsum([spec.count for spec in members])[:-1]
    return np.split(pixels, edges)


def _encode_all(
    generator: Generates,
    spec: DesignSpec,
    pixels: NDArray[np.uint8],
    stamp: Callable[[int], bytes | None],
) -> Made:
    seeds = seeds_of(spec)
    conditions = generator.complete(seeds, _conditions(generator, spec))
    try:
        # What was asked is told as it was asked: `navy` stays `navy`, and gives the same again.
        pictures = tuple(
            Picture(
                seed,
                {**condition, **spec.condition},
                encode(one, size=spec.size, image_format=spec.format, xmp=stamp(position)),
                hash_,
            )
            for position, (seed, condition, one, hash_) in enumerate(
                zip(seeds, conditions, pixels, as_signed(perceptual_hashes(pixels)), strict=True)
            )
        )
    except (OSError, ValueError) as error:
        return Made(error=error)
    return Made(pictures)

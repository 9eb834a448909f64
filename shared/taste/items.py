"""Items: what a taste is about, garments or designs, as columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from shared.errors import InvalidInputError, NotFoundError
from shared.taste.arrays import Bools, Codes, Places, Singles

UNKNOWN: Final = -1
EMBEDDED: Final = 128  # dimensions of the in-house encoder


@dataclass(frozen=True)
class Items:
    """Garments or designs, one a row.

    Attributes:
        ids: n different ids.
        embeddings: float32 ``[n, 128]`` of one encoder, mean square about 1; finite.
        colours: float32 ``[n, 2, 3]``, main and second colour in CIELAB; NaN where not known.
        labels: int32 ``[n, attributes]``, codes into the vocabulary in its order; -1 not known.
        vocabulary: attribute -> its values in code order.

    Raises:
        InvalidInputError: a column has another shape or type, or a code is outside its values.
    """

    ids: tuple[str, ...]
    embeddings: Singles
    colours: Singles
    labels: Codes
    vocabulary: Mapping[str, tuple[str, ...]]

    def __post_init__(self) -> None:
        n = len(self.ids)
        if len(set(self.ids)) != n:
            raise InvalidInputError("an id is given twice; every item needs an id of its own")
        _check("embeddings", self.embeddings, (n, EMBEDDED), np.float32)
        _check("colours", self.colours, (n, 2, 3), np.float32)
        _check("labels", self.labels, (n, len(self.vocabulary)), np.int32)
        if not np.isfinite(self.embeddings).all():
            raise InvalidInputError("an embedding is not finite; encode the picture again")
        self._check_codes()

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def places(self) -> Mapping[str, int]:
        """Id -> row."""
        return {name: place for place, name in enumerate(self.ids)}

    def place(self, name: str) -> int:
        """Return the row of an id.

        Raises:
            NotFoundError: there is none.
        """
        if name not in self.places:
            raise NotFoundError(f"There is no item {name} among these {len(self)}.", id=name)
        return self.places[name]

    def take(self, places: Places) -> "Items":
        """Return some rows, in the order asked for."""
        return Items(
            ids=tuple(self.ids[int(place)] for place in places),
            embeddings=self.embeddings[places],
            colours=self.colours[places],
            labels=self.labels[places],
            vocabulary=self.vocabulary,
        )

    def codes(self, attribute: str) -> Codes:
        """Return int32 ``[n]``: each item's code of an attribute; -1 throughout where unnamed."""
        if attribute not in self.vocabulary:
            return np.full(len(self), UNKNOWN, dtype=np.int32)
        return self.labels[:, list(self.vocabulary).index(attribute)]

    def having(self, attribute: str, value: str) -> Bools:
        """Return bool ``[n]``: which items are known to have a value."""
        values = self.vocabulary.get(attribute, ())
        if value not in values:
            return np.zeros(len(self), dtype=np.bool_)
        return np.asarray(self.codes(attribute) == values.index(value))

    def labels_of(self, place: int) -> dict[str, str]:
        """Return attribute -> value of one item, without those not known."""
        pairs = zip(self.vocabulary.items(), self.labels[place].tolist(), strict=True)
        return {name: values[code] for (name, values), code in pairs if code != UNKNOWN}

    def _check_codes(self) -> None:
        for column, (name, values) in zip(self.labels.T, self.vocabulary.items(), strict=True):
            if len(set(values)) != len(values):
                raise InvalidInputError(f"the vocabulary of {name} names a value twice")
            if len(column) and not UNKNOWN <= int(column.min()) <= int(column.max()) < len(values):
                raise InvalidInputError(f"a code of {name} is outside its {len(values)} values")


def described(
    ids: Sequence[str],
    embeddings: Singles,
    colours: Singles,
    told: Sequence[Mapping[str, str]],
    vocabulary: Mapping[str, tuple[str, ...]] | None = None,
) -> Items:
    """Return items whose labels are told in words.

    Args:
        ids: n different ids.
        embeddings: as `Items` has them.
        colours: as `Items` has them.
        told: attribute -> value of each item. What a given vocabulary does not hold is not known.
        vocabulary: such as a catalog's; unset, all that is told, in the order of the alphabet.
    """
    if vocabulary is None:
        names = sorted({name for one in told for name in one})
        vocabulary = {
            name: tuple(sorted({one[name] for one in told if name in one})) for name in names
        }
    codes = [[_code(one.get(name), values) for name, values in vocabulary.items()] for one in told]
    return Items(
        ids=tuple(ids),
        embeddings=embeddings,
        colours=colours,
        labels=np.array(codes, dtype=np.int32).reshape(len(told), len(vocabulary)),
        vocabulary=vocabulary,
    )


def _code(value: str | None, values: tuple[str, ...]) -> int:
    return values.index(value) if value in values else UNKNOWN


def join(parts: Sequence[Items]) -> Items:
    """Return the rows of all parts, one after the other, such as a catalog and its designs.

    The vocabulary holds all values of all parts, those of the first part first.

    Raises:
        InvalidInputError: there is no part, or an id is in two of them.
    """
    if not parts:
        raise InvalidInputError("there is nothing to join; give at least one part")
    vocabulary: dict[str, tuple[str, ...]] = {}
    for part in parts:
        for name, values in part.vocabulary.items():
            vocabulary[name] = tuple(dict.fromkeys((*vocabulary.get(name, ()), *values)))
    return Items(
        ids=tuple(name for part in parts for name in part.ids),
        embeddings=np.concatenate([part.embeddings for part in parts]),
        colours=np.concatenate([part.colours for part in parts]),
        labels=np.concatenate([_recoded(part, vocabulary) for part in parts]),
        vocabulary=vocabulary,
    )


def _recoded(items: Items, vocabulary: Mapping[str, tuple[str, ...]]) -> Codes:
    """Return the labels ``[n, attributes]`` as codes of another vocabulary that holds theirs."""
    result = np.full((len(items), len(vocabulary)), UNKNOWN, dtype=np.int32)
    for column, (name, values) in enumerate(vocabulary.items()):
        own = items.vocabulary.get(name, ())
        table = np.array([values.index(value) for value in own] + [UNKNOWN], dtype=np.int32)
        result[:, column] = table[items.codes(name)]  # -1 takes the last entry, which is -1
    return result


def _check(
    name: str, array: Singles | Codes, shape: tuple[int, ...], kind: type[np.generic]
) -> None:
    if array.shape != shape or array.dtype != kind:
        raise InvalidInputError(
            f"{name} are {array.dtype} {array.shape}; expected {np.dtype(kind)} {shape}"
        )

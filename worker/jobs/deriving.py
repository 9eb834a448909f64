"""From what rows, pictures and embeddings say of garments to what nobody said: the columns."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.colour import FAMILY_NAMES
from shared.derivations import STYLE, UNKNOWN, Derived, DerivedColumn
from shared.records.derivations import Derivation
from shared.schemas.derivations import (
    DerivedAttribute,
    PredictionFigures,
    StyleCard,
    Trait,
    ValueFigures,
)
from shared.schemas.models import MINIMUM_OF_VALUE
from worker.catalogs.shards import open_shard
from worker.jobs.described import Codes, Described
from worker.labels.filling import Filled, fill
from worker.labels.styles import Earlier, Styles, find_styles
from worker.pictures.patterns import LEAST_SIDE, PATTERNS, measure_patterns
from worker.runtime import Runtime

PATTERN: Final = "pattern"
COLOUR: Final = "colour"
COLOUR_FAMILY: Final = "colour_family"

_THREADS: Final = 2
_BLOCK: Final = 256
_TRAIT_SHARE: Final = 0.4
_TRAIT_LIFT: Final = 1.5
_TRAIT_GARMENTS: Final = 10
_TRAIT_KNOWN: Final = 0.5  # of the style: what half of it does not tell is no trait

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


def measured_columns(
    runtime: Runtime, garments: Described, before: Derived | None
) -> dict[str, DerivedColumn]:
    """Return what is measured: patterns where none are given, colour families where colours are.

    Args:
        runtime: ways out.
        garments: as their rows have them.
        before: what was derived before: its garments are not looked at again.
    """
    columns = {}
    pattern = _patterns(runtime, garments, before)
    if (pattern != UNKNOWN).any():
        columns[PATTERN] = _measured(PATTERNS, pattern)
    given = (~garments.colour_measured & (garments.families != UNKNOWN)).any()
    if given:  # else `colour` says the same
        columns[COLOUR_FAMILY] = _measured(FAMILY_NAMES, garments.families)
    return columns


def _measured(values: tuple[str, ...], codes: Codes) -> DerivedColumn:
    return DerivedColumn(
        values=values,
        codes=codes.astype(np.int32),
        predicted=np.zeros(len(codes), np.bool_),
        confidence=np.full(len(codes), np.nan, np.float32),
    )


def _patterns(runtime: Runtime, garments: Described, before: Derived | None) -> Codes:
    """Return int32 [n], places in `PATTERNS`; -1 where one is given, or none can be told."""
    own = garments.values.get(PATTERN, ())
    # A shop that says "solid" has no "plain": measured words beside its own would split a series.
    usable = np.array([not own or name in own for name in PATTERNS] + [False])
    codes = np.full(len(garments), UNKNOWN, np.int32)
    wanted = np.ones(len(garments), np.bool_)
    if own:
        wanted = garments.codes[PATTERN] == UNKNOWN
    known = None if before is None else before.columns.get(PATTERN)
    if before is not None:
        rows = np.array([before.places.get(name, -1) for name in garments.ids])
        if known is not None:
            table = np.array([_place_of(value) for value in known.values] + [UNKNOWN])
            old = np.where(known.predicted, UNKNOWN, known.codes)
            codes = np.where(rows >= 0, table[old[rows]], UNKNOWN).astype(np.int32)
        wanted &= rows < 0
    for rows, told in _looked_at(runtime, garments, wanted):
        codes[rows] = told
    return np.where(usable[codes], codes, UNKNOWN).astype(np.int32)


def _place_of(pattern: str) -> int:
    return PATTERNS.index(pattern) if pattern in PATTERNS else UNKNOWN


def _looked_at(
    runtime: Runtime, garments: Described, wanted: Mask
) -> Iterator[tuple[NDArray[np.int64], Codes]]:
    """Yield rows and what their pictures tell, shard by shard."""
    start = 0
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="patterns") as pool:
        for shard in garments.shards:
            rows = start + np.flatnonzero(wanted[start : start + shard.count])
            if len(rows):
                path = runtime.store.fetch(shard.artifact, runtime.settings.cache_folder)
                pixels = open_shard(path)
                if pixels.shape[1] < LEAST_SIDE:  # as are all of a catalog
                    return
                blocks = [rows[at : at + _BLOCK] for at in range(0, len(rows), _BLOCK)]
                yield from zip(blocks, pool.map(_look(pixels, start), blocks), strict=True)
            start += shard.count


def _look(pixels: NDArray[np.uint8], start: int) -> Callable[[NDArray[np.int64]], Codes]:
    def look(rows: NDArray[np.int64]) -> Codes:
        told = measure_patterns(pixels[rows - start])
        return np.array([UNKNOWN if one is None else PATTERNS.index(one) for one in told], np.int32)

    return look


def styles_of(
    garments: Described,
    embeddings: Floats,
    earlier: tuple[Derivation, Derived] | None,
    version: int,
) -> Styles | None:
    """Return the styles of a catalog version, numbered as before; None where it is too small."""
    return find_styles(
        embeddings,
        earlier=None if earlier is None else _as_earlier(garments, *earlier),
        version=version,
    )


def _as_earlier(garments: Described, derivation: Derivation, derived: Derived) -> Earlier:
    column, card = derived.columns.get(STYLE), derivation.card
    if column is None:  # numbers that were given before are still not given again
        nothing = np.full(len(garments), UNKNOWN)
        return Earlier(nothing, card.next_style, chosen_for=0, since={})
    numbers = np.array([int(value.removeprefix("style ")) for value in column.values] + [UNKNOWN])
    rows = np.array([derived.places.get(name, -1) for name in garments.ids])
    return Earlier(
        styles=np.where(rows >= 0, numbers[column.codes[rows]], UNKNOWN),
        next_number=card.next_style,
        chosen_for=card.styles_chosen_for,
        since={style.number: style.since for style in card.styles},
    )


def name_of(number: int) -> str:
    """Return the value that stands for a style."""
    return f"style {number}"


def style_column(styles: Styles) -> DerivedColumn:
    """Return the attribute `style`."""
    numbers = np.array([style.number for style in styles.styles], np.int64)
    inside = styles.numbers != UNKNOWN
    codes = np.where(inside, np.searchsorted(numbers, styles.numbers), UNKNOWN)
    return DerivedColumn(
        values=tuple(name_of(number) for number in numbers.tolist()),
        codes=codes.astype(np.int32),
        predicted=np.zeros(len(codes), np.bool_),
        confidence=np.where(inside, styles.alike, np.nan).astype(np.float32),
    )


def predicted_columns(
    garments: Described,
    measured: Mapping[str, DerivedColumn],
    embeddings: Floats,
    styles: Styles | None,
    limit: float,
) -> tuple[dict[str, DerivedColumn], dict[str, tuple[Filled, tuple[str, ...]]]]:
    """Fill what is neither given nor measured.

    Returns:
        The columns with what was filled, measured values kept; and of each attribute how it went,
        with the values that its figures are of.
    """
    columns, told = dict(measured), {}
    for name, given in garments.codes.items():
        values, codes = _common(given, garments.values[name])
        column = measured.get(name)
        known = given != UNKNOWN
        settled = known if column is None else known | (column.codes != UNKNOWN)
        filled = fill(
            embeddings, codes, ~known, values=len(values),
            styles=np.zeros(len(garments), np.int64) if styles is None else styles.numbers,
            limit=limit,
        )  # fmt: skip
        told[name] = filled, values
        wanted = (filled.codes != UNKNOWN) & ~settled
        if wanted.any():
            columns[name] = _joined(column, filled, values, wanted)
    return columns, told


def _common(codes: Codes, values: tuple[str, ...]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Leave out values of so few garments that they cannot be learned."""
    counts = np.bincount(codes[codes != UNKNOWN], minlength=len(values))
    kept = np.flatnonzero(counts >= MINIMUM_OF_VALUE)
    table = np.full(len(values) + 1, UNKNOWN)
    table[kept] = np.arange(len(kept))
    return tuple(values[code] for code in kept.tolist()), table[codes]


def _joined(
    column: DerivedColumn | None, filled: Filled, values: tuple[str, ...], wanted: Mask
) -> DerivedColumn:
    first = () if column is None else column.values
    names = tuple(dict.fromkeys((*first, *values)))
    place = np.array([names.index(value) for value in values] + [UNKNOWN])
    before = np.full(len(wanted), UNKNOWN) if column is None else column.codes
    return DerivedColumn(
        values=names,
        codes=np.where(wanted, place[filled.codes], before).astype(np.int32),
        predicted=wanted,
        confidence=np.where(wanted, filled.chances, np.nan).astype(np.float32),
    )


def attributes_told(
    garments: Described,
    columns: Mapping[str, DerivedColumn],
    told: Mapping[str, tuple[Filled, tuple[str, ...]]],
) -> dict[str, DerivedAttribute]:
    """Return, for each attribute but the style, from where how many garments have it."""
    names = sorted({*garments.codes, *columns} - {STYLE})
    return {name: _attribute(garments, columns.get(name), told.get(name), name) for name in names}


def _attribute(
    garments: Described,
    column: DerivedColumn | None,
    told: tuple[Filled, tuple[str, ...]] | None,
    name: str,
) -> DerivedAttribute:
    labelled = garments.codes[name] != UNKNOWN if name in garments.codes else _no(garments)
    measured = labelled & garments.colour_measured if name == COLOUR else _no(garments)
    given = labelled & ~measured
    derived = _no(garments) if column is None else column.codes != UNKNOWN
    predicted = _no(garments) if column is None else derived & column.predicted
    measured = measured | (derived & ~predicted)
    return DerivedAttribute(
        given=int(given.sum()),
        measured=int(measured.sum()),
        predicted=int(predicted.sum()),
        unknown=int((~(given | measured | predicted)).sum()),
        prediction=None if told is None else _figures(*told),
    )


def _no(garments: Described) -> Mask:
    return np.zeros(len(garments), np.bool_)


def _figures(filled: Filled, values: tuple[str, ...]) -> PredictionFigures:
    return PredictionFigures(
        used=filled.used,
        reason=filled.reason,
        labelled=filled.labelled,
        accuracy=filled.accuracy,
        majority=filled.majority,
        threshold=filled.threshold,
        kept=filled.kept,
        right=filled.right,
        values={
            value: ValueFigures(
                garments=one.garments, found=one.found, kept=one.kept, right=one.right,
                used=one.used,
            )
            for value, one in zip(values, filled.values, strict=False)
        },
    )  # fmt: skip


def style_cards(
    styles: Styles, garments: Described, columns: Mapping[str, DerivedColumn]
) -> tuple[StyleCard, ...]:
    """Return the styles with their typical garments, and what most of each have in common."""
    labels = dict(garments.codes)
    names = dict(garments.values)
    if PATTERN in columns and PATTERN not in labels:
        labels[PATTERN], names[PATTERN] = columns[PATTERN].codes, columns[PATTERN].values
    return tuple(
        StyleCard(
            number=style.number,
            garments=style.garments,
            typical=tuple(garments.ids[row] for row in style.typical),
            tightness=style.tightness,
            kept=style.kept,
            since=style.since,
            traits=_traits(styles.numbers == style.number, labels, names),
        )
        for style in styles.styles
    )


def _traits(
    inside: Mask, labels: Mapping[str, Codes], names: Mapping[str, tuple[str, ...]]
) -> dict[str, Trait]:
    traits = {}
    for name, codes in labels.items():
        known = codes != UNKNOWN
        here = np.bincount(codes[known & inside], minlength=len(names[name]))
        if here.sum() < max(_TRAIT_GARMENTS, _TRAIT_KNOWN * inside.sum()):
            continue
        share = here / here.sum()
        overall = np.bincount(codes[known], minlength=len(names[name])) / known.sum()
        first = int(share.argmax())
        if share[first] >= _TRAIT_SHARE and share[first] >= _TRAIT_LIFT * overall[first]:
            traits[name] = Trait(
                value=names[name][first],
                share=round(float(share[first]), 4),
                overall=round(float(overall[first]), 4),
            )
    return traits

"""A drawn catalog for anyone: dated garments whose fashions follow written-down trends.

What is in fashion, as the relative weight of each value while time runs from 0 (three years before
the end) to 1 (the end). A value's true share on a day is its weight over the sum of its attribute's
weights. `TRENDS` holds the same table as data, `true_shares` computes it.

| attribute | value    | weight | kind      | how                                                 |
|-----------|----------|-------:|-----------|-----------------------------------------------------|
| category  | t-shirt  |     18 | seasonal  | 0.60 above and below, highest on 15 July            |
| category  | jumper   |     14 | seasonal  | 0.60, highest on 10 January                         |
| category  | dress    |      8 | rising    | grows by 1.80 of its weight over the three years    |
| category  | skirt    |     10 | steady    |                                                     |
| category  | trousers |     20 | declining | loses 0.65 of its weight over the three years       |
| category  | coat     |     11 | seasonal  | 0.75, highest on 5 December                         |
| category  | bag      |     10 | steady    |                                                     |
| category  | boots    |      9 | seasonal  | 0.50, highest on 1 November                         |
| colour    | black    |     17 | steady    |                                                     |
| colour    | white    |     12 | seasonal  | 0.50, highest on 1 July                             |
| colour    | grey     |     15 | declining | loses 0.70                                          |
| colour    | beige    |      8 | rising    | grows by 1.60                                       |
| colour    | brown    |      9 | seasonal  | 0.60, highest on 20 October                         |
| colour    | red      |      9 | steady    |                                                     |
| colour    | pink     |      5 | flash     | 6 times its weight more at 0.72, over in 3 months    |
| colour    | yellow   |      7 | seasonal  | 0.60, highest on 1 May                              |
| colour    | green    |      7 | rising    | grows by 1.40                                       |
| colour    | blue     |     11 | steady    |                                                     |
| pattern   | plain    |     42 | steady    |                                                     |
| pattern   | striped  |     14 | rising    | grows by 1.20                                       |
| pattern   | checked  |     20 | declining | loses 0.60                                          |
| pattern   | dotted   |     10 | steady    |                                                     |
| pattern   | floral   |     14 | seasonal  | 0.75, highest on 15 May                             |

A steady value keeps its weight; its share still moves a little when the others' weights do.
"""

import csv
import io
import os
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

import numpy as np

from shared.demo import shapes
from shared.errors import InvalidInputError

DEFAULT_COUNT: Final = 2000
YEARS: Final = 3
_SPAN: Final = timedelta(days=1096)  # three years with one leap day
_YEAR: Final = 365.25
_FLASH_WIDTH: Final = 0.04  # of the span: a flash is over some three months after its height
# How far chance may let a value fall behind its share, in garments. Independent draws would bury
# these trends in noise: with 55 garments a month a share of 10% would have a deviation of 4%.
_SLACK: Final = 0.8


class TrendKind(StrEnum):
    """How a value's weight moves with time."""

    STEADY = "steady"
    RISING = "rising"
    DECLINING = "declining"
    SEASONAL = "seasonal"
    FLASH = "flash"


@dataclass(frozen=True, slots=True)
class WrittenTrend:
    """One row of the table above.

    Attributes:
        weight: the relative weight at the start, before the kind is applied.
        amount: rising and declining: the part of the weight gained or lost over the span.
            Seasonal: how far above and below the weight, 0-1. Flash: the height above the weight.
        at: seasonal: the day of the year, 0-1, of the height. Flash: the time, 0-1, of the height.
    """

    attribute: str
    value: str
    weight: float
    kind: TrendKind = TrendKind.STEADY
    amount: float = 0.0
    at: float = 0.0

    def weight_on(self, day: date, *, end: date) -> float:
        """Return the relative weight on a day of a catalog that ends on ``end``."""
        time = 1 - (end - day) / _SPAN
        match self.kind:
            case TrendKind.STEADY:
                return self.weight
            case TrendKind.RISING:
                return self.weight * (1 + self.amount * time)
            case TrendKind.DECLINING:
                return self.weight * (1 - self.amount * time)
            case TrendKind.SEASONAL:
                turn = day.timetuple().tm_yday / _YEAR - self.at
                return self.weight * (1 + self.amount * float(np.cos(2 * np.pi * turn)))
            case TrendKind.FLASH:
                away = (time - self.at) / _FLASH_WIDTH
                return self.weight * (1 + self.amount * float(np.exp(-0.5 * away**2)))


def _season(month: int, day: int) -> float:
    return date(2023, month, day).timetuple().tm_yday / _YEAR


_S, _R, _D = TrendKind.SEASONAL, TrendKind.RISING, TrendKind.DECLINING
TRENDS: Final = (
    WrittenTrend("category", "t-shirt", 18, _S, 0.60, _season(7, 15)),
    WrittenTrend("category", "jumper", 14, _S, 0.60, _season(1, 10)),
    WrittenTrend("category", "dress", 8, _R, 1.80),
    WrittenTrend("category", "skirt", 10),
    WrittenTrend("category", "trousers", 20, _D, 0.65),
    WrittenTrend("category", "coat", 11, _S, 0.75, _season(12, 5)),
    WrittenTrend("category", "bag", 10),
    WrittenTrend("category", "boots", 9, _S, 0.50, _season(11, 1)),
    WrittenTrend("colour", "black", 17),
    WrittenTrend("colour", "white", 12, _S, 0.50, _season(7, 1)),
    WrittenTrend("colour", "grey", 15, _D, 0.70),
    WrittenTrend("colour", "beige", 8, _R, 1.60),
    WrittenTrend("colour", "brown", 9, _S, 0.60, _season(10, 20)),
    WrittenTrend("colour", "red", 9),
    WrittenTrend("colour", "pink", 5, TrendKind.FLASH, 6.0, 0.72),
    WrittenTrend("colour", "yellow", 7, _S, 0.60, _season(5, 1)),
    WrittenTrend("colour", "green", 7, _R, 1.40),
    WrittenTrend("colour", "blue", 11),
    WrittenTrend("pattern", "plain", 42),
    WrittenTrend("pattern", "striped", 14, _R, 1.20),
    WrittenTrend("pattern", "checked", 20, _D, 0.60),
    WrittenTrend("pattern", "dotted", 10),
    WrittenTrend("pattern", "floral", 14, _S, 0.75, _season(5, 15)),
)
ATTRIBUTES: Final = ("category", "colour", "pattern")


@dataclass(frozen=True, slots=True)
class DrawnGarment:
    """What one garment of the drawn catalog is, before it is drawn."""

    image: str
    category: str
    colour: str
    pattern: str
    date: date


def trends_of(attribute: str) -> tuple[WrittenTrend, ...]:
    """Return the written trends of one attribute, in the table's order."""
    return tuple(trend for trend in TRENDS if trend.attribute == attribute)


def true_shares(attribute: str, day: date, *, end: date) -> dict[str, float]:
    """Return each value's true share on a day; they sum to 1."""
    weights = {trend.value: trend.weight_on(day, end=end) for trend in trends_of(attribute)}
    total = sum(weights.values())
    return {value: weight / total for value, weight in weights.items()}


def plan(*, count: int = DEFAULT_COUNT, seed: int = 0, end: date) -> list[DrawnGarment]:
    """Return what to draw, by date: evenly spread over the three years that end on ``end``.

    Each attribute is drawn so that the values' counts stay within a garment or two of their
    true shares at all times; the attributes are independent of each other.
    """
    if count < 1:
        raise InvalidInputError(f"Cannot draw {count} garments; expected at least one.")
    rng = np.random.default_rng(seed)
    first = end - _SPAN + timedelta(days=1)
    days = [
        first + (_SPAN - timedelta(days=1)) * index / max(count - 1, 1) for index in range(count)
    ]
    values = {attribute: _values(attribute, days, end, rng) for attribute in ATTRIBUTES}
    return [
        DrawnGarment(f"images/{index:05d}.png", category, colour, pattern, day)
        for index, (category, colour, pattern, day) in enumerate(
            zip(values["category"], values["colour"], values["pattern"], days, strict=True)
        )
    ]


def _values(attribute: str, days: list[date], end: date, rng: np.random.Generator) -> Iterator[str]:
    """Choose, day by day, the value that is furthest behind its share, give or take some chance."""
    trends = trends_of(attribute)
    owed = np.zeros(len(trends))
    for day in days:
        owed += list(true_shares(attribute, day, end=end).values())
        chosen = int(np.argmax(owed + rng.uniform(-_SLACK, _SLACK, len(trends))))
        owed[chosen] -= 1
        yield trends[chosen].value


def write_archive(path: Path, *, count: int = DEFAULT_COUNT, seed: int = 0, end: date) -> None:
    """Write the drawn catalog as a zip of PNG images and ``labels.csv``; wholly, or not at all.

    The same count, seed and end give the same bytes (with the same Pillow).
    """
    garments = plan(count=count, seed=seed, end=end)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        unfinished = Path(file.name)
        try:
            with zipfile.ZipFile(file, "w") as archive:
                _write(archive, "labels.csv", _labels(garments))
                for index, garment in enumerate(garments):
                    _write(archive, garment.image, _png(garment, (seed, index)))
            file.flush()
            os.fsync(file.fileno())
            unfinished.replace(path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise


def _write(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name, date_time=(2020, 1, 1, 0, 0, 0)), content)


def _labels(garments: list[DrawnGarment]) -> bytes:
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["image", "category", "colour", "pattern", "date"])
    rows.writerows([g.image, g.category, g.colour, g.pattern, g.date] for g in garments)
    return text.getvalue().encode()


def _png(garment: DrawnGarment, seed: tuple[int, int]) -> bytes:
    rng = np.random.default_rng(seed)
    buffer = io.BytesIO()
    shapes.draw(garment.category, garment.pattern, garment.colour, rng).save(buffer, "PNG")
    return buffer.getvalue()

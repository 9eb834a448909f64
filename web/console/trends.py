"""What the page of one trend report shows: its headline, what is new, its record, and its files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from pydantic import ValidationError

from shared.artifacts import ArtifactStore
from shared.records.reports import BOARD_PAGE, ReportPlace
from shared.schemas.alerts import FiredAlert
from shared.schemas.base import Schema
from shared.schemas.record import TrackRecord
from shared.schemas.reports import ReportView
from shared.schemas.trends import Difference, Moved

Read = TypeVar("Read", bound=Schema)

_DATA: Final = (
    ("series.csv", "Series, CSV"),
    ("forecast.csv", "Forecast, CSV"),
    ("series.parquet", "Series, Parquet"),
    ("forecast.parquet", "Forecast, Parquet"),
    ("report.json", "Everything, JSON"),
    ("record.json", "Said and happened, JSON"),
    ("difference.json", "What is new, JSON"),
    ("moodboard.json", "Moodboards, JSON"),
)
_TOO_LITTLE: Final = "insufficient"
_VERDICTS: Final[Mapping[str | None, str]] = {
    _TOO_LITTLE: "too little data",
    "flash": "a flash",
    None: "not followed",
}


@dataclass(frozen=True)
class ShownReport:
    """Everything that the page of a report shows."""

    report: ReportView
    difference: Difference | None
    record: TrackRecord | None
    fired: Sequence[FiredAlert]

    @property
    def data(self) -> list[tuple[str, str]]:
        """Address and name of each file of data."""
        files = self.report.files
        return [(self._address(name), told) for name, told in _DATA if name in files]

    @property
    def plots(self) -> list[tuple[str, str | None]]:
        """Address of each plot as PNG, and as SVG where there is one."""
        files = set(self.report.files)
        found = []
        for name in sorted(one for one in files if one.endswith(".png")):
            drawing = f"{name.removesuffix('.png')}.svg"
            found.append(
                (self._address(name), self._address(drawing) if drawing in files else None)
            )
        return found

    @property
    def boards_url(self) -> str | None:
        """The moodboards' page, once it is there."""
        return self._address(BOARD_PAGE) if BOARD_PAGE in self.report.files else None

    @property
    def news(self) -> list[tuple[str, Moved]]:
        """What is new: a word, and the series; what only has too little data is none."""
        if self.difference is None:
            return []
        groups = (
            ("begins to rise", self.difference.new_rises),
            ("begins to decline", self.difference.new_falls),
            ("ended", self.difference.ended),
            (
                "called otherwise",
                [
                    one
                    for one in self.difference.class_changes
                    if _TOO_LITTLE not in {one.before, one.now}
                ],
            ),
        )
        return [(told, one) for told, group in groups for one in group]

    def _address(self, name: str) -> str:
        return f"{self.report.url}/files/{name}"


def shown(store: ArtifactStore, place: ReportPlace, fired: Sequence[FiredAlert]) -> ShownReport:
    """Return what the page of a report shows; a file that cannot be read is not shown."""
    return ShownReport(
        report=place.report,
        difference=_read(store, place, "difference.json", Difference),
        record=_read(store, place, "record.json", TrackRecord),
        fired=fired,
    )


def verdict(kind: str | None) -> str:
    """Return how a series is called, in words."""
    return _VERDICTS.get(kind, str(kind))


def _read(store: ArtifactStore, place: ReportPlace, name: str, schema: type[Read]) -> Read | None:
    key = place.artifacts.get(name)
    if key is None:
        return None
    try:
        return schema.model_validate_json(store.read(key))
    except (FileNotFoundError, ValidationError):
        return None

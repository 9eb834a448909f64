"""A frame of a plot: lines, bands, words and ticks put straight on a figure.

Matplotlib's axes work out their layout anew for each panel and each format, which took longer
than all that a report counts. A frame knows where it stands, so that it costs what its lines do.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import numpy as np
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Bbox, TransformedBbox

from worker.trends.arrays import Floats
from worker.trends.drawing import Box, Drawn

INK: Final = "#222222"
QUIET: Final = "#777777"
_GRID: Final = "#E4E4E4"
_FLOOR: Final = "#BBBBBB"
_MARGIN: Final = 0.01  # of the days, on either side
_POINT: Final = 1 / 72  # inches
_KEY: Final = (0.15, 0.08)  # of a legend, inches
_LETTER: Final = 0.065  # inches of room for a letter of it
_UNSAYABLE: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # in XML
_FINE: Final = (0.05, 0.005)


@dataclass(frozen=True)
class Frame:
    """A rectangle of a figure, with days across and shares from 0 up.

    Attributes:
        figure: what it stands on.
        box: where it stands.
        days: first and last day, as Matplotlib numbers them.
        top: share at the upper end.
        large: of a figure of its own, with more ticks and larger words.
        drawn: what stands on it so far, in the order drawn.
    """

    figure: Figure
    box: Box
    days: tuple[float, float]
    top: float
    large: bool
    drawn: list[Drawn] = field(default_factory=list)

    def x(self, days: Floats) -> Floats:
        """Return inches from the figure's left of days."""
        room = _MARGIN * (self.days[1] - self.days[0])
        first, span = self.days[0] - room, self.days[1] - self.days[0] + 2 * room
        return self.box[0] + self.box[2] * (days - first) / span

    def y(self, shares: Floats) -> Floats:
        """Return inches from the figure's foot of shares, 0..1."""
        return self.box[1] + self.box[3] * shares / self.top

    def line(self, days: Floats, shares: Floats, **style: Any) -> None:
        """Draw a line, broken where a share is NaN."""
        line = Line2D(self.x(days), self.y(shares), **style)
        self._add(line, self.box)

    def band(self, days: Floats, low: Floats, high: Floats, **style: Any) -> None:
        """Fill between two lines, with a gap where either is NaN."""
        path = _between(self.x(days), self.y(low), self.y(high))
        patch = PathPatch(path, linewidth=0, **style)
        self._add(patch, self.box)

    def mark(self, day: float, word: str) -> None:
        """Draw an upright line at a day, and a word beside its upper end."""
        at = float(self.x(np.array(day)))
        foot, top = self.box[1], self.box[1] + self.box[3]
        line = Line2D([at, at], [foot, top], color=QUIET, linewidth=0.9, dashes=(3, 3))
        self._add(line, self.box)
        if word:
            top -= 3 * _POINT
            self.write(at - 3 * _POINT, top, word, size=8, color=QUIET, ha="right", va="top")

    def finish(self, title: str) -> None:
        """Draw the title, the ticks with their lines, and the floor."""
        left, foot, _, height = self.box
        size, gap = (8.5, 4 * _POINT) if self.large else (7, 3 * _POINT)
        self.write(
            left,
            foot + height + (6 if self.large else 4) * _POINT,
            title,
            size=12 if self.large else 8.5,
            color=INK,
            weight="bold",
        )
        for share, text in share_ticks(self.top, 5 if self.large else 3):
            at = float(self.y(np.array(share)))
            self.write(left - gap, at, text, size=size, color=QUIET, ha="right", va="center")
            self._rule(at, color=_GRID, linewidth=0.7, zorder=0.5)
        self._rule(foot, color=_FLOOR, linewidth=0.8, zorder=2.5)
        # A small one has too few marks for months when a history is between two and three years.
        for day, text in day_ticks(*self.days, *((3, 8) if self.large else (2, 5))):
            at = float(self.x(np.array(day)))
            self.write(at, foot - gap, text, size=size, color=QUIET, ha="center", va="top")

    def write(self, x: float, y: float, text: str, **style: Any) -> None:
        """Write words at a place in inches."""
        shown = _UNSAYABLE.sub("", text)
        self._add(Text(x, y, shown, parse_math=False, **style), None)

    def legend(self, up: float) -> None:
        """Name the lines and bands that have a label, side by side, ``up`` inches high."""
        left = self.box[0]
        for one in [one for one, _ in self.drawn if one.get_label()]:
            right = left + _KEY[0]
            if isinstance(one, PathPatch):
                low, high = up - _KEY[1] / 2, up + _KEY[1] / 2
                corners = [[left, low], [right, low], [right, high], [left, high], [left, low]]
                key: Line2D | PathPatch = PathPatch(Path(corners, closed=True))
            else:
                key = Line2D([left, (left + right) / 2, right], [up] * 3)
            key.update_from(one)
            key.set_clip_box(None)
            self._add(key, None)
            label = str(one.get_label())
            self.write(right + 5 * _POINT, up, label, size=8, color=INK, va="center")
            left = right + 0.25 + _LETTER * len(label)

    def _rule(self, at: float, **style: Any) -> None:
        self._add(Line2D([self.box[0], self.box[0] + self.box[2]], [at, at], **style), None)

    def _add(self, artist: Line2D | PathPatch | Text, box: Box | None) -> None:
        scale = self.figure.dpi_scale_trans
        artist.set_transform(scale)
        if box is not None:
            artist.set_clip_box(TransformedBbox(Bbox.from_bounds(*box), scale))
        self.figure.add_artist(artist)
        self.drawn.append((artist, box))


def share_ticks(top: float, most: int) -> list[tuple[float, str]]:
    """Return the shares to mark from 0 to ``top``, at most so many steps, and their texts."""
    digits = sum(top < limit for limit in _FINE)  # no two ticks may round to one label
    places = MaxNLocator(most, steps=[1, 2, 5, 10]).tick_values(0, top)
    return [(float(one), f"{one:.{digits}%}") for one in places if 0 <= one <= top]


@lru_cache(maxsize=8)
def day_ticks(first: float, last: float, least: int, most: int) -> Sequence[tuple[float, str]]:
    """Return the days to mark between two, as Matplotlib numbers them, and their texts.

    All frames of a report have the same ones.
    """
    # Matplotlib ships no types for its dates.
    locator: Any = AutoDateLocator(minticks=least, maxticks=most)  # type: ignore[no-untyped-call]
    locator.create_dummy_axis()
    locator.axis.set_view_interval(first, last)
    locator.axis.set_data_interval(first, last)
    days = [float(day) for day in locator() if first <= day <= last]
    form: Any = ConciseDateFormatter(locator, show_offset=False)  # type: ignore[no-untyped-call]
    return tuple(zip(days, form.format_ticks(days), strict=True))


def _between(x: Floats, low: Floats, high: Floats) -> Path:
    """Return the outline between two lines, one part for each run without a gap."""
    known = np.flatnonzero(np.isfinite(low) & np.isfinite(high))
    corners, codes = [np.zeros((0, 2))], []
    for run in np.split(known, np.flatnonzero(np.diff(known) > 1) + 1):
        if not len(run):
            continue
        there = np.column_stack([x[run], low[run]])
        back = np.column_stack([x[run], high[run]])[::-1]
        corners += [there, back, there[:1]]
        codes += [Path.MOVETO, *[Path.LINETO] * (2 * len(run) - 1), Path.CLOSEPOLY]
    return Path(np.concatenate(corners), codes)

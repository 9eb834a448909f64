"""The page of a report's moodboards: self-contained, and made to be printed."""

from collections.abc import Mapping

from shared.schemas.boards import MoodboardSet, Rack
from shared.schemas.trends import TrendReport
from worker.trends import saying, words
from worker.trends.page import TEMPLATES, uri_of


def render_boards(
    report: TrendReport, boards: MoodboardSet, pictures: Mapping[str, bytes]
) -> bytes:
    """Return ``moodboard.html``; it asks nothing of the network, and runs no script.

    Args:
        report: that the boards are of.
        boards: what hangs on them.
        pictures: design or garment id -> PNG or WebP; what has none is not shown.
    """
    page = TEMPLATES.get_template("moodboard.html").render(
        report=report,
        boards=boards,
        uris={name: uri_of(data) for name, data in pictures.items()},
        moves=_moves(boards.this_season, boards.next_season),
        words=words,
        saying=saying,
    )
    return page.encode()


def _moves(
    now: Rack | None, ahead: Rack | None
) -> list[tuple[str, list[tuple[str, float, float]]]]:
    """Return, by attribute, each value with its share on both racks, the largest gain first."""
    if now is None or ahead is None:
        return []
    return [
        (
            name,
            sorted(
                ((value, now.shares[name].get(value, 0.0), share) for value, share in
                 values.items()),
                key=lambda one: one[1] - one[2],
            ),
        )
        for name, values in ahead.shares.items()
    ]  # fmt: skip

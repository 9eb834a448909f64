"""Choices: telling a caller what there is when something else was named."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Final

from shared.errors import InvalidInputError
from shared.schemas.problems import Fault

_SHOWN: Final = 40


def unknown(
    what: str, named: str, among: Iterable[str], *, place: Sequence[str | int]
) -> InvalidInputError:
    """Return the refusal of a name that is not among the ones there are.

    Args:
        what: what the name is of, for the message.
        named: what the caller wrote.
        among: all that would be taken.
        place: where in the request it stands.
    """
    allowed = sorted(among)
    close = _close(named, allowed)
    hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
    shown = ", ".join(map(repr, allowed[:_SHOWN])) or "none"
    more = f" and {len(allowed) - _SHOWN} more" if len(allowed) > _SHOWN else ""
    return InvalidInputError(
        f"{named!r} is not {what}.{hint} There are: {shown}{more}.",
        errors=[Fault(location=tuple(place), message=f"not {what}")],
        allowed=allowed,
        close=close,
    )


def _close(named: str, allowed: Sequence[str]) -> list[str]:
    by_lower = {name.lower(): name for name in allowed}
    return [by_lower[name] for name in get_close_matches(named.lower(), by_lower, n=3)]

"""Usage: what the site used, by day, and what it may use."""

import datetime as dt
from typing import Final

from flask import Response
from pydantic import ConfigDict, Field

from shared.errors import InvalidInputError
from shared.records import usage
from shared.schemas.base import Schema
from shared.schemas.problems import Fault
from shared.schemas.usage import Usage
from web import answers, auth
from web.api.noun import noun
from web.runtime import runtime

api: Final = noun("usage", "What the site used, and what it may use.")

_USUAL_DAYS: Final = 30
_MOST_DAYS: Final = 400


class UsageQuery(Schema):
    """Of which days usage is told."""

    # `from` is no name in Python; flask-openapi3 reads a query by its aliases.
    model_config = ConfigDict(populate_by_name=True)

    first: dt.date | None = Field(
        None, alias="from", description="First day, UTC, such as 2026-11-01; unset, 30 days."
    )
    last: dt.date | None = Field(None, alias="to", description="Last day, UTC; unset, today.")


@api.get("/usage", responses={"200": Usage})
def get_usage(query: UsageQuery) -> Response:
    """Read what the site used, by day: designs, images, device seconds, training, storage.

    A job counts on the day on which it ends. What was cancelled or failed costs nothing, save
    trainings, which cost the time that they took.
    """
    here, site_id = runtime(), auth.site_id()
    with here.records.reading() as tx:
        first, last = _days(query, tx.now.date())
        days = usage.by_day(tx, site_id, first=first, last=last)
        stored = usage.storage(tx, site_id)
    return answers.document(
        Usage(
            first=first,
            last=last,
            days=tuple(days),
            total=usage.total_of(days),
            storage_bytes=stored,
            limits=here.limits.of(site_id).limits,
        )
    )


def _days(query: UsageQuery, today: dt.date) -> tuple[dt.date, dt.date]:
    last = query.last or today
    try:
        first = query.first or last - dt.timedelta(days=_USUAL_DAYS - 1)
    except OverflowError:
        first = last
    if not dt.timedelta() <= last - first < dt.timedelta(days=_MOST_DAYS):
        message = f"expected 1 to {_MOST_DAYS} days, the first not after the last"
        raise InvalidInputError(
            f"From {first} to {last} usage is not told: {message}.",
            errors=[Fault(location=("from",), message=message)],
        )
    return first, last

"""Trend reports: options."""

from shared.schemas.base import Schema


class TrendOptions(Schema):
    """How a report is made."""

"""Trend statistics: from dated garments to series, forecasts and a report."""

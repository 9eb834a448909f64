"""`toile trends`."""

from pathlib import Path
from typing import Any

import click

from shared.cli.output import json_option, print_json, print_table
from shared.cli.progress import follow
from shared.cli.server import asked, with_client
from shared.client import Client
from shared.schemas.reports import ReportView, TrendRequest
from shared.schemas.trends import Difference


@click.command()
@click.option("--catalog", help="Catalog id or name; unset, all of the site's.")
@click.option("--if-changed", is_flag=True, help="Only when a garment has changed since the last.")
@click.option(
    "--open-out",
    "--out",
    "out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Save the report's page here, one HTML file to open.",
)
@click.option(
    "--tables",
    type=click.Path(file_okay=False, path_type=Path),
    help="Save series and forecast into this folder, as CSV and, where offered, Parquet.",
)
@json_option
@with_client
def trends(
    client: Client,
    catalog: str | None,
    out: Path | None,
    tables: Path | None,
    *,
    if_changed: bool,
    as_json: bool,
) -> None:
    """Make a trend report from the dated garments, and show its headline and what is new."""
    request = asked(TrendRequest, catalog=catalog, only_if_changed=if_changed)
    job = follow(client, client.trend_report(request), "Trend report", quiet=as_json)
    report = client.report((job.result or {})["report_id"])
    if out is not None:
        client.download(report.page_url, out)
    if tables is not None:
        for name in report.files:
            if name.endswith((".csv", ".parquet")):
                client.save_report_file(report.id, name, tables / name)
    if as_json:
        print_json(report)
    else:
        _show(report, out)
        _show_news(client.difference(report.id))


def _show(report: ReportView, out: Path | None) -> None:
    summary = report.summary
    click.echo(
        f"{summary.get('garments', 0):,.0f} garments, {summary.get('first')} to "
        f"{summary.get('last')}, by {summary.get('period')}"
    )
    rows = [
        (direction, one["attribute"], one["value"], _percent(one.get("change")))
        for direction in ("rising", "declining")
        for one in summary.get(direction, [])
    ]
    print_table(
        ["TREND", "ATTRIBUTE", "VALUE", "CHANGE"], rows, empty="Nothing rises or falls clearly."
    )
    click.echo(f"The page: {out or report.page_url}")


def _show_news(news: Difference | None) -> None:
    if news is None:
        return
    groups = {
        "begins to rise": news.new_rises,
        "begins to decline": news.new_falls,
        "ended": news.ended,
        "called otherwise": news.class_changes,
    }
    rows = [
        (told, one.attribute, one.value, f"{one.before or '-'} -> {one.now or '-'}")
        for told, group in groups.items()
        for one in group
    ]
    click.echo(f"Against the report of {news.against_at:%Y-%m-%d}:")
    print_table(
        ["NEW", "ATTRIBUTE", "VALUE", "WAS, IS"], rows, empty="Nothing is called otherwise."
    )


def _percent(value: Any) -> str:
    return f"{value:+.0%}" if isinstance(value, int | float) else "-"

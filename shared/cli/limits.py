"""`toile site set`, `show` and `rotate-links`: what one site may use, and its links."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from shared.cli.database import open_records
from shared.cli.output import json_option, print_json, print_table
from shared.errors import NotFoundError
from shared.records import Transaction, limits, sites, usage
from shared.schemas.sites import Site
from shared.schemas.usage import MICRO, Measure
from shared.settings import load_settings

Command = TypeVar("Command", bound=Callable[..., Any])

_HELP: Final = {
    "rate": "Requests a second, over time.",
    "burst": "Requests at once.",
    "poll_rate": "Status polls a second, and as many pictures by signed link.",
    "queued_designs": "Design jobs that wait.",
    "queued_others": "Other jobs that wait.",
    "designs_a_day": "Images asked for in a day (UTC).",
    "training_minutes_a_month": "Minutes of training in a calendar month (UTC).",
    "storage_bytes": "Bytes kept.",
}


class _Limit(click.ParamType):  # type: ignore[type-arg]  # generic in newer ones only
    """A number, or one of the words `default` and `unlimited`."""

    name = "number|default|unlimited"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | str:
        if value in {"default", "unlimited"} or isinstance(value, float):
            return value  # type: ignore[no-any-return]
        try:
            return float(value)
        except ValueError:
            self.fail(f"{value!r} is neither a number, `default` nor `unlimited`.", param, ctx)


def _options(command: Command) -> Command:
    for name in reversed(limits.NAMES):
        option = click.option(f"--{name.replace('_', '-')}", type=_Limit(), help=_HELP[name])
        command = option(command)
    return command


@click.command("set")
@click.argument("name")
@_options
def set_limits(name: str, **asked: float | str | None) -> None:
    """Set what the site NAME may use; `default` goes back to the server's own setting.

    Web processes know of it within three seconds.
    """
    wanted = {limit: _value(value) for limit, value in asked.items() if value is not None}
    if not wanted:
        message = "Name at least one limit, such as `--designs-a-day 1000`."
        raise click.UsageError(message)
    with open_records(load_settings()) as records, records.transaction() as tx:
        limits.change(tx, _named(tx, name).id, wanted)
    click.echo(f"Set for {name}. `toile site show {name}` shows what holds.")


@click.command()
@click.argument("name")
@json_option
def show(name: str, *, as_json: bool) -> None:
    """Show the site NAME, what it may use, and what it used."""
    settings = load_settings()
    with open_records(settings) as records, records.reading() as tx:
        found = _named(tx, name)
        own = limits.own(tx, found.id)
        allowed = limits.resolved(settings, own)
        used = _used(tx, found.id)
    told = allowed.model_dump()
    if as_json:
        print_json({"site": found, "limits": told, "used": used})
        return
    click.echo(f"{found.name} ({found.id}), weight {found.weight:g}")
    rows = [
        (
            limit,
            "unlimited" if told[limit] is None else f"{told[limit]:.12g}",
            "the server's" if getattr(own, limit) is None else "its own",
            used.get(limit),
        )
        for limit in limits.NAMES
    ]
    print_table(["LIMIT", "VALUE", "FROM", "USED"], rows, empty="")


@click.command("rotate-links")
@click.argument("name")
def rotate_links(name: str) -> None:
    """End all signed links that the site NAME gave out, within five seconds.

    Copies that caches and browsers hold stay there until the links' own ends.
    """
    with open_records(load_settings()) as records, records.transaction() as tx:
        limits.rotate_links(tx, _named(tx, name).id)
    click.echo(f"All signed links of {name} are over. New ones hold.")


def _value(value: float | str) -> float | None:
    if isinstance(value, str):
        return None if value == "default" else limits.UNLIMITED
    if value < 0:
        message = f"A limit is not below 0; got {value:g}. The word `unlimited` takes it away."
        raise click.UsageError(message)
    return value


def _named(tx: Transaction, name: str) -> Site:
    found = sites.by_name(tx, name)
    if found is None:
        raise NotFoundError(f"There is no site named {name!r}. `toile site list` shows them.")
    return found


def _used(tx: Transaction, site_id: str) -> dict[str, float | int]:
    today = tx.now.date()
    month = today.replace(day=1)
    minutes = usage.sum_of(tx, site_id, Measure.TRAINING, since=month) / MICRO / 60
    return {
        "designs_a_day": usage.sum_of(tx, site_id, Measure.ASKED, since=today),
        "training_minutes_a_month": round(minutes, 3),
        "storage_bytes": usage.storage(tx, site_id),
    }

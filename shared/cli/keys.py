"""`toile key` and `toile console`: letting programs and browsers in."""

import re
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final

import click
from click.core import ParameterSource

from shared.cli.database import open_records
from shared.cli.output import json_option, print_json, print_table, say
from shared.cli.server import address_option, server_address
from shared.client.keyfile import save_key, saved_key
from shared.console import LINK_SECONDS, console_token
from shared.errors import NotFoundError, UnauthorizedError
from shared.records import Transaction, sites
from shared.schemas.keys import ApiKey, NewApiKey, Scope
from shared.schemas.sites import Site
from shared.settings import load_settings

_DURATION: Final = re.compile(r"([0-9]{1,6})([smhd])")
_UNITS: Final = MappingProxyType({"s": "seconds", "m": "minutes", "h": "hours", "d": "days"})


@click.group()
def key() -> None:
    """Make, list, rotate and revoke API keys."""


@key.command()
@click.option("--site", "site_name", default="default", show_default=True, help="Made if missing.")
@click.option("--name", default="cli", show_default=True, help="What the key is for.")
@click.option(
    "--scopes",
    default=",".join(Scope),
    show_default=True,
    help="What it may do, split by commas.",
)
@click.option("--expires", help="When it ends by itself: 30m, 12h, 90d; unset, never.")
@click.option("--publishable", is_flag=True, help="For the pages of a shop; takes no scopes.")
@click.option(
    "--origin", "origins", multiple=True, help="Of a publishable key: https://shop.example; again."
)
@click.option("--save", is_flag=True, help="Keep it in TOILE_HOME for this command line.")
@json_option
@click.pass_context
def create(
    context: click.Context,
    /,
    site_name: str,
    name: str,
    *,
    save: bool,
    as_json: bool,
    **wanted: Any,
) -> None:
    """Make a key for a site; its secret is shown once and never again."""
    settings = load_settings()
    _refuse_misuse(context, save=save, **wanted)
    life = None if wanted["expires"] is None else _duration(wanted["expires"])
    with open_records(settings) as records, records.transaction() as tx:
        owner = sites.by_name(tx, site_name) or sites.create(tx, site_name)
        until = None if life is None else tx.now + life
        if wanted["publishable"]:
            made = sites.create_publishable_key(
                tx, owner.id, name=name, origins=wanted["origins"], expires_at=until
            )
        else:
            scopes = _scopes(wanted["scopes"])
            made = sites.create_key(tx, owner.id, name=name, scopes=scopes, expires_at=until)
    if save:
        say(f"Kept in {save_key(settings, made.secret)} .")
    _show(made, owner, as_json=as_json, told="Keep it: it is not shown again.")


@key.command("list")
@click.option("--site", "site_name", help="Only this site's.")
@json_option
def list_keys(site_name: str | None, *, as_json: bool) -> None:
    """List keys by their beginnings."""
    with open_records(load_settings()) as records, records.reading() as tx:
        owners = sites.every(tx) if site_name is None else [_named(tx, site_name)]
        found = [(owner, one) for owner in owners for one in sites.keys_of(tx, owner.id)]
    if as_json:
        print_json([{**one.model_dump(mode="json"), "site": owner.name} for owner, one in found])
    else:
        print_table(
            ["ID", "SITE", "NAME", "BEGINS", "MAY", "MADE", "USED", "ENDS", "REVOKED"],
            [
                (one.id, owner.name, one.name, one.prefix, _may(one), one.created_at,
                 one.last_used_at, one.expires_at, one.revoked_at)
                for owner, one in found
            ],
            empty="There is no key. `toile key create --site NAME` makes one.",
        )  # fmt: skip


@key.command()
@click.argument("key_id")
@click.option(
    "--overlap",
    default="24h",
    show_default=True,
    help="How long the old secret goes on: 0s, 30m, 24h, 7d.",
)
@click.option("--save", is_flag=True, help="Keep the new one in TOILE_HOME.")
@json_option
def rotate(key_id: str, overlap: str, *, save: bool, as_json: bool) -> None:
    """Put a new key in the place of one; the old secret goes on for a while beside it."""
    settings = load_settings()
    with open_records(settings) as records, records.transaction() as tx:
        made = sites.rotate_key(tx, key_id, overlap=_duration(overlap))
        owner = sites.get(tx, made.site_id)
    if save:
        say(f"Kept in {save_key(settings, made.secret)} .")
    _show(made, owner, as_json=as_json, told=f"The old one goes on for {overlap}. Keep this one.")


@key.command()
@click.argument("key_id")
@json_option
def revoke(key_id: str, *, as_json: bool) -> None:
    """Make a key useless within five seconds, and for good."""
    with open_records(load_settings()) as records, records.transaction() as tx:
        revoked = sites.revoke_key(tx, key_id)
    if as_json:
        print_json(revoked)
    else:
        click.echo(f"The key {revoked.id} ({revoked.prefix}...) lets nobody in any more.")


@click.command()
@click.option("--key", "secret", envvar="TOILE_API_KEY", hidden=True)
@address_option
@json_option
def console(secret: str | None, url: str | None, *, as_json: bool) -> None:
    """Print a link that logs a browser in; it works for five minutes."""
    settings = load_settings()
    secret = secret or saved_key(settings)
    if secret is None:
        raise UnauthorizedError(
            "A link is made for a key, and there is none here. Make one with "
            "`toile key create --site NAME --save`."
        )
    with open_records(settings) as records, records.reading() as tx:
        found = sites.find_key(tx, secret)
    if found is None or Scope.READ not in found.scopes:
        raise UnauthorizedError(
            "The key that is kept here, or in TOILE_API_KEY, is not known, was revoked, or may not "
            "read. Make "
            "another with `toile key create --site NAME --save`."
        )
    link = f"{server_address(url, settings)}/login?token={console_token(settings, found.id)}"
    if as_json:
        print_json({"link": link, "seconds": LINK_SECONDS})
    else:
        click.echo(link)


def _named(tx: Transaction, name: str) -> Site:
    found = sites.by_name(tx, name)
    if found is None:
        raise NotFoundError(f"There is no site {name!r}. `toile site list` shows them.")
    return found


def _refuse_misuse(context: click.Context, *, save: bool, **wanted: Any) -> None:
    """Refuse options that contradict each other; what is unset says nothing."""
    named = context.get_parameter_source("scopes") is ParameterSource.COMMANDLINE
    if wanted["publishable"] and (named or save):
        message = "A publishable key opens nothing by itself: it takes no --scopes and no --save."
        raise click.UsageError(message)
    if wanted["origins"] and not wanted["publishable"]:
        message = "--origin is for publishable keys; a secret key belongs in no page."
        raise click.UsageError(message)


def _scopes(text: str) -> tuple[Scope, ...]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in set(Scope):
            message = f"{name!r} is no scope. There are {', '.join(Scope)}."
            raise click.UsageError(message)
    return tuple(Scope(name) for name in names)


def _duration(text: str) -> timedelta:
    found = _DURATION.fullmatch(text)
    if found is None:
        message = f"{text!r} is no time. Write a number and its unit: 90s, 30m, 12h, 90d."
        raise click.UsageError(message)
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _show(made: NewApiKey, owner: Site, *, as_json: bool, told: str) -> None:
    if as_json:
        print_json({**made.model_dump(mode="json"), "site": owner.name})
    else:
        say(f"A key of the site {owner.name}. {told}")
        click.echo(made.secret)


def _may(one: ApiKey) -> str:
    return f"pages of {' '.join(one.origins)}" if one.publishable else ",".join(one.scopes)

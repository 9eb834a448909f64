"""`toile key` and `toile console`: letting programs and browsers in."""

import click

from shared.cli.database import open_records
from shared.cli.output import json_option, print_json, print_table, say
from shared.cli.server import address_option, server_address
from shared.client.keyfile import save_key, saved_key
from shared.console import LINK_SECONDS, console_token
from shared.errors import NotFoundError, UnauthorizedError
from shared.records import Transaction, sites
from shared.schemas.sites import Site
from shared.settings import load_settings


@click.group()
def key() -> None:
    """Make, list and revoke API keys."""


@key.command()
@click.option("--site", "site_name", default="default", show_default=True, help="Made if missing.")
@click.option("--name", default="cli", show_default=True, help="What the key is for.")
@click.option("--save", is_flag=True, help="Keep it in TOILE_HOME for this command line.")
@json_option
def create(site_name: str, name: str, *, save: bool, as_json: bool) -> None:
    """Make a key for a site; its secret is shown once and never again."""
    settings = load_settings()
    with open_records(settings) as records, records.transaction() as tx:
        owner = sites.by_name(tx, site_name) or sites.create(tx, site_name)
        made = sites.create_key(tx, owner.id, name=name)
    if save:
        say(f"Kept in {save_key(settings, made.secret)} .")
    if as_json:
        print_json({**made.model_dump(mode="json"), "site": owner.name})
    else:
        say(f"A key of the site {owner.name}. Keep it: it is not shown again.")
        click.echo(made.secret)


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
            ["ID", "SITE", "NAME", "BEGINS", "MADE", "REVOKED"],
            [
                (one.id, owner.name, one.name, one.prefix, one.created_at, one.revoked_at)
                for owner, one in found
            ],
            empty="There is no key. `toile key create --site NAME` makes one.",
        )


@key.command()
@click.argument("key_id")
@json_option
def revoke(key_id: str, *, as_json: bool) -> None:
    """Make a key useless, at once and for good."""
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
    if found is None:
        raise UnauthorizedError(
            "The key that is kept here, or in TOILE_API_KEY, is not known or was revoked. Make "
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

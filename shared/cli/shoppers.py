"""`toile shopper`: what shoppers like, what they may like, and forgetting them."""

from collections.abc import Sequence
from typing import Any

import click

from shared.cli.output import json_option, print_json, print_table, say
from shared.cli.server import asked, with_client
from shared.client import Client
from shared.schemas.designs import Reason
from shared.schemas.shoppers import NotCounted, PreferenceKind, PreferenceRequest
from shared.schemas.taste import Belief

_SHOWN = 3


def catalog_option(function: Any) -> Any:
    """Add `--catalog` to a command."""
    return click.option(
        "--catalog", help="Catalog id or name; unset, the only one, or that indexed last."
    )(function)


@click.group()
def shopper() -> None:
    """Say what shoppers like, and what they may like; REF is your own reference of one."""


@shopper.command()
@click.argument("ref")
@click.argument("items", metavar="ITEM...", nargs=-1, required=True)
@click.option("--not", "disliked", is_flag=True, help="Dislikes, instead of likes.")
@json_option
@with_client
def like(
    client: Client, ref: str, items: tuple[str, ...], *, disliked: bool, as_json: bool
) -> None:
    """Record that a shopper likes garments or designs, by their ids."""
    kind = PreferenceKind.DISLIKE if disliked else PreferenceKind.LIKE
    made = client.prefer(ref, [asked(PreferenceRequest, kind=kind, item=item) for item in items])
    if as_json:
        print_json(made)
    else:
        count = len(made.preferences)
        click.echo(f"Recorded {count} {kind}{'' if count == 1 else 's'} of {ref}.")


@shopper.command()
@click.argument("ref")
@catalog_option
@json_option
@with_client
def taste(client: Client, ref: str, catalog: str | None, *, as_json: bool) -> None:
    """Say what is believed of a shopper."""
    found = client.taste(ref, catalog=catalog)
    if as_json:
        print_json(found)
        return
    rows = [(_believed(one), one.swatch, f"{one.certainty:.0%}") for one in found.beliefs]
    print_table(
        ["BELIEF", "SWATCH", "CERTAIN"],
        rows,
        empty=f"Nothing is certain yet of {ref}: {found.signals:.1f} signals.",
    )
    _tell(found.not_counted)


@shopper.command()
@click.argument("ref")
@catalog_option
@click.option("--count", type=click.IntRange(1, 100), default=10, show_default=True)
@click.option("--relevance", type=click.FloatRange(0, 1), help="Less trades taste for variety.")
@json_option
@with_client
def recommend(client: Client, ref: str, *, as_json: bool, **options: Any) -> None:
    """Recommend garments to a shopper."""
    found = client.recommendations(ref, **options)
    if as_json:
        print_json(found)
        return
    if not found.signals:
        say(f"Nothing is known of {ref} yet; these are what shoppers like on the whole.")
    rows = [
        (one.garment_id, f"{one.probability:.0%}", _because(one.reasons)) for one in found.items
    ]
    print_table(
        ["GARMENT", "LIKELY", "BECAUSE OF"],
        rows,
        empty=f"No garment: the hard wishes leave {found.allowed}, and what was liked or disliked "
        "is not shown again.",
    )
    _tell(found.not_counted)


@shopper.command()
@click.argument("ref")
@click.confirmation_option(
    prompt="All that is kept of this shopper goes for good, their designs too. Go on?"
)
@json_option
@with_client
def erase(client: Client, ref: str, *, as_json: bool) -> None:
    """Forget a shopper: preferences, designs, jobs. Keep the receipt; it does not name them."""
    receipt = client.erase(ref)
    if as_json:
        print_json(receipt)
        return
    told = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in receipt.removed.items())
    click.echo(f"Erased: {told}.")
    click.echo(f"The receipt is {receipt.id}, its proof {receipt.proof}.")


def _believed(belief: Belief) -> str:
    return f"{belief.attribute}: {belief.text}"


def _because(reasons: Sequence[Reason]) -> str:
    return ", ".join(f"{one.item} ({one.share:+.0%})" for one in reasons) or "-"


def _tell(not_counted: Sequence[NotCounted]) -> None:
    for one in not_counted[:_SHOWN]:
        say(f"Not counted: {one.what}. {one.why}")
    if len(not_counted) > _SHOWN:
        say(f"Not counted: {len(not_counted) - _SHOWN:,} more; --json lists them.")

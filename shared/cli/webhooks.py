"""`toile webhooks`: being told of events at an address of the site."""

from datetime import UTC, datetime

import click

from shared.cli.output import json_option, print_json, print_table, say
from shared.cli.server import asked, with_client
from shared.client import Client
from shared.schemas.webhooks import (
    Delivery,
    DeliveryState,
    EventType,
    NewWebhook,
    Webhook,
    WebhookRequest,
)

_EVENTS = click.Choice([one.value for one in EventType])


@click.group()
def webhooks() -> None:
    """Be told of events at an address of the site."""


@webhooks.command()
@click.argument("address")
@click.option("--event", "events", type=_EVENTS, multiple=True, help="May be repeated; unset, all.")
@click.option("--description", help="What it is for.")
@json_option
@with_client
def add(
    client: Client,
    address: str,
    events: tuple[str, ...],
    description: str | None,
    *,
    as_json: bool,
) -> None:
    """Add the address ADDRESS; its secret is shown once."""
    request = asked(WebhookRequest, address=address, events=events or None, description=description)
    _show_secret(client.webhooks.add(request), as_json=as_json)


@webhooks.command("list")
@json_option
@with_client
def list_webhooks(client: Client, *, as_json: bool) -> None:
    """List the webhooks, and say which are in trouble."""
    found = client.webhooks.every()
    if as_json:
        print_json(found)
        return
    print_table(
        ["WEBHOOK", "ADDRESS", "EVENTS", "STATE"],
        [(one.id, one.address, ", ".join(one.events or ("all",)), _state(one)) for one in found],
        empty="There is no webhook. `toile webhooks add ADDRESS` makes one.",
    )


@webhooks.command()
@click.argument("webhook_id")
@click.option("--address", help="Send there from now on.")
@click.option("--event", "events", type=_EVENTS, multiple=True, help="May be repeated.")
@click.option("--all-events", is_flag=True, help="Send all kinds of events.")
@click.option("--description")
@json_option
@with_client
def change(
    client: Client,
    webhook_id: str,
    address: str | None,
    events: tuple[str, ...],
    description: str | None,
    *,
    all_events: bool,
    as_json: bool,
) -> None:
    """Change where a webhook goes, or what it is told."""
    changes: dict[str, object] = {"address": address, "description": description}
    changes = {name: value for name, value in changes.items() if value is not None}
    if all_events or events:
        changes["events"] = None if all_events else list(events)
    changed = client.webhooks.change(webhook_id, **changes)
    if as_json:
        print_json(changed)
    else:
        click.echo(f"{changed.id} is told of {', '.join(changed.events or ('all events',))}.")


@webhooks.command()
@click.argument("webhook_id")
@with_client
def enable(client: Client, webhook_id: str) -> None:
    """Take a webhook up again; what it missed can be replayed."""
    client.webhooks.change(webhook_id, enabled=True)
    click.echo(f"{webhook_id} is told of events again. `toile webhooks replay` sends what failed.")


@webhooks.command()
@click.argument("webhook_id")
@with_client
def disable(client: Client, webhook_id: str) -> None:
    """Send a webhook nothing more until it is enabled."""
    client.webhooks.change(webhook_id, enabled=False)
    click.echo(f"{webhook_id} is told of nothing.")


@webhooks.command()
@click.argument("webhook_id")
@with_client
def remove(client: Client, webhook_id: str) -> None:
    """Remove a webhook with its log."""
    client.webhooks.remove(webhook_id)
    click.echo(f"Removed {webhook_id}.")


@webhooks.command()
@click.argument("webhook_id")
@click.option("--overlap-hours", type=click.FloatRange(0, 168), default=24, show_default=True)
@json_option
@with_client
def rotate(client: Client, webhook_id: str, overlap_hours: float, *, as_json: bool) -> None:
    """Make a new secret; for a while the old one signs too."""
    _show_secret(client.webhooks.rotate(webhook_id, overlap_hours=overlap_hours), as_json=as_json)


@webhooks.command()
@click.argument("webhook_id")
@json_option
@with_client
def test(client: Client, webhook_id: str, *, as_json: bool) -> None:
    """Send a test event."""
    sent = client.webhooks.test(webhook_id)
    if as_json:
        print_json(sent)
    else:
        click.echo(f"Sent as {sent.event_id}. `toile webhooks show {sent.id}` tells how that went.")


@webhooks.command()
@click.argument("webhook_id")
@click.option("--state", type=click.Choice([one.value for one in DeliveryState]))
@click.option("--most", type=click.IntRange(1), default=50, show_default=True)
@json_option
@with_client
def log(client: Client, webhook_id: str, state: str | None, most: int, *, as_json: bool) -> None:
    """List what was sent to a webhook, newest first."""
    wanted = None if state is None else DeliveryState(state)
    found = client.webhooks.deliveries(webhook_id, state=wanted, most=most)
    if as_json:
        print_json(found)
        return
    print_table(
        ["DELIVERY", "EVENT", "ABOUT", "STATE", "TRIES", "LAST ANSWER", "NEXT"],
        [
            (one.id, one.type.value, one.subject, one.state.value, one.attempts, _last(one),
             one.due_at)
            for one in found
        ],
        empty="Nothing was sent yet.",
    )  # fmt: skip


@webhooks.command()
@click.argument("delivery_id")
@with_client
def show(client: Client, delivery_id: str) -> None:
    """Print a delivery as JSON: what is sent, and each try with its answer."""
    print_json(client.webhooks.delivery(delivery_id))


@webhooks.command()
@click.argument("target")
@click.option("--since", type=click.DateTime(), help="Of a webhook: what failed since then, UTC.")
@with_client
def replay(client: Client, target: str, since: datetime | None) -> None:
    """Send TARGET again: a delivery, or what failed of a webhook `--since` a time."""
    if since is None:
        again = client.webhooks.replay(target)
        click.echo(f"{again.event_id} is on its way again.")
        return
    count = client.webhooks.replay_since(target, since.replace(tzinfo=UTC))
    click.echo(f"{count} events are on their way again.")


def _show_secret(made: NewWebhook, *, as_json: bool) -> None:
    if as_json:
        print_json(made)
        return
    say(f"{made.id} is told of {', '.join(made.events or ('all events',))}.")
    say("This signs what is sent. Keep it: it is not shown again.")
    click.echo(made.secret)


def _state(one: Webhook) -> str:
    if one.disabled is not None:
        return f"disabled ({one.disabled.reason.value})"
    if one.failing_since is not None:
        return f"failing since {one.failing_since.astimezone():%Y-%m-%d %H:%M}"
    return "well"


def _last(one: Delivery) -> str:
    last = one.last_attempt
    if last is None:
        return "-"
    told = str(last.status) if last.status is not None else (last.error or "-")
    return f"{told} in {1000 * last.seconds:.0f} ms"

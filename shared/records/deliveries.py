"""Events on their way to webhooks: taking what is due, writing how it went, the log, replaying."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, delete, exists, func, or_, select, update

from shared.errors import ConflictError, NotFoundError
from shared.records import webhooks
from shared.records.engine import Transaction
from shared.records.rows import Page, columns_of, page_of
from shared.records.tables import DeliveryAttemptRow, DeliveryRow, WebhookRow
from shared.schemas.base import Schema
from shared.schemas.webhooks import (
    KEEP_TRYING,
    Delivery,
    DeliveryAttempt,
    DeliveryDetail,
    DeliveryState,
    DisabledReason,
    Webhook,
)

_PENDING: Final = DeliveryState.PENDING.value
_MOST_AT_ONCE: Final = 10_000
_GRACE: Final = timedelta(hours=1)
"""How long after its end a delivery may still have its last try: workers may have been away."""


class Taken(Schema):
    """A delivery that was taken to be tried, and what is known of its webhook.

    `attempts` counts this try, and is what makes it this one: whoever took it before, and comes
    late, writes nothing.
    """

    id: str
    webhook_id: str
    event_id: str
    payload: str
    attempts: int
    step: int
    ends_at: datetime
    address: str
    salts: tuple[str, ...]
    key_mark: str
    failures: int
    failing_since: datetime | None


class Tried(Schema):
    """How a try went, and what follows.

    Attributes:
        attempt: what the log keeps.
        state: delivered, failed for good, or pending still.
        pause: until the next try, while pending.
        is_theirs: whether a failure is the receiver's, and so counts against the webhook.
        spare: how long to send it nothing at all.
        disable: why to send nothing more to it.
    """

    attempt: DeliveryAttempt
    state: DeliveryState
    pause: timedelta | None = None
    is_theirs: bool = True
    spare: timedelta | None = None
    disable: DisabledReason | None = None


def claim(
    tx: Transaction,
    *,
    room: int,
    lease: timedelta,
    at_once: Callable[[int], int],
) -> list[Taken]:
    """Take deliveries that are due, of those webhooks first that were served longest ago.

    What is taken is nobody else's until the lease is over; if nobody has written how it went by
    then, it is due again, with the same event id.

    Args:
        tx: the open transaction.
        room: most to take.
        lease: how long they are held.
        at_once: how many tries may run at once at a webhook that failed so often in a row.
    """
    taken: list[Taken] = []
    # Those that another locks are passed by, so that whoever settles may go on to claim.
    query = _with_work(tx, most=room).with_for_update(skip_locked=True, of=WebhookRow)
    for hook in tx.session.scalars(query).all():
        if len(taken) >= room:
            break
        under_way = select(func.count()).where(
            DeliveryRow.webhook_id == hook.id, DeliveryRow.state == _PENDING,
            DeliveryRow.leased_until > tx.now,
        )  # fmt: skip
        free = at_once(hook.failures) - tx.session.execute(under_way).scalar_one()
        taken += _take(tx, hook, most=min(free, room - len(taken)), lease=lease)
    return taken


def settle(tx: Transaction, taken: Taken, tried: Tried) -> Webhook | None:
    """Write how a try went. Whoever took the delivery later has it: then nothing is written.

    Returns:
        The webhook, where this try led to its being disabled.
    """
    # The webhook before its deliveries, as everywhere: two who lock both must not wait for another.
    if tried.state is not DeliveryState.DELIVERED or taken.failures:
        tx.session.get(WebhookRow, taken.webhook_id, with_for_update=True, populate_existing=True)
    is_over = tried.state is not DeliveryState.PENDING
    moved = tx.session.execute(
        update(DeliveryRow)
        .where(
            DeliveryRow.id == taken.id,
            DeliveryRow.state == _PENDING,
            DeliveryRow.attempts == taken.attempts,
        )
        .values(
            state=tried.state.value,
            due_at=None if tried.pause is None else _next(tx, taken, tried.pause),
            step=taken.step + 1,
            leased_until=None,
            settled_at=tx.now if is_over else None,
        )
        .returning(DeliveryRow.id)
        .execution_options(synchronize_session=False)
    ).first()
    if moved is None:
        return None
    tx.session.add(DeliveryAttemptRow(delivery_id=taken.id, **tried.attempt.model_dump()))
    tx.session.flush()
    _note(tx, taken, tried)
    return None if tried.disable is None else webhooks.disable(tx, taken.webhook_id, tried.disable)


def expire(tx: Transaction) -> int:
    """End deliveries that are still pending after their time; returns how many.

    Such are those of a webhook that was spared so long that none of their tries came.
    """
    late = select(DeliveryRow.id).where(
        DeliveryRow.state == _PENDING,
        DeliveryRow.ends_at < tx.now - _GRACE,
        or_(DeliveryRow.leased_until.is_(None), DeliveryRow.leased_until < tx.now),
    )
    ended = tx.session.execute(
        update(DeliveryRow)
        .where(DeliveryRow.id.in_(late.limit(_MOST_AT_ONCE).with_for_update(skip_locked=True)))
        .values(state=DeliveryState.FAILED.value, due_at=None, settled_at=tx.now)
        .returning(DeliveryRow.id)
        .execution_options(synchronize_session=False)
    )
    return len(ended.all())


def forget(tx: Transaction, *, before: datetime, most: int) -> int:
    """Delete deliveries that are over and of events before a time; returns how many."""
    old = (
        select(DeliveryRow.id)
        .where(DeliveryRow.created_at < before, DeliveryRow.state != _PENDING)
        .order_by(DeliveryRow.created_at)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    gone = tx.session.execute(
        delete(DeliveryRow)
        .where(DeliveryRow.id.in_(old))
        .returning(DeliveryRow.id)
        .execution_options(synchronize_session=False)
    )
    return len(gone.all())


def is_due(tx: Transaction) -> bool:
    """Return whether anything waits to be sent now."""
    return tx.session.scalars(_with_work(tx, most=1)).first() is not None


def page(
    tx: Transaction,
    webhook: Webhook,
    *,
    state: DeliveryState | None = None,
    cursor: str | None = None,
    limit: int = 20,
) -> Page[Delivery]:
    """Return the deliveries to a webhook, newest first."""
    query = select(DeliveryRow).where(DeliveryRow.webhook_id == webhook.id)
    if state is not None:
        query = query.where(DeliveryRow.state == state.value)
    order = (DeliveryRow.created_at, DeliveryRow.id)
    found = page_of(tx, query, order=order, cursor=cursor, limit=limit, read=lambda row: row)
    logs = _logs(tx, [row.id for row in found.items])
    return Page([_delivery(row, logs.get(row.id, [])) for row in found.items], found.next_cursor)


def get(tx: Transaction, site_id: str, delivery_id: str) -> DeliveryDetail:
    """Return a delivery with what is sent and all tries.

    Raises:
        NotFoundError: the site has none of that id.
    """
    row = _found(tx, site_id, delivery_id)
    log = _logs(tx, [row.id]).get(row.id, [])
    told = _delivery(row, log).model_dump()
    return DeliveryDetail(**told, payload=json.loads(row.payload), log=tuple(log))


def replay(tx: Transaction, site_id: str, delivery_id: str) -> Delivery:
    """Send an event again, under its own id; it is tried anew for a day.

    Raises:
        NotFoundError: the site has none of that id.
        ConflictError: its webhook is disabled.
    """
    row = _found(tx, site_id, delivery_id)
    refuse_disabled(webhooks.hold(tx, site_id, row.webhook_id))
    _again(tx, DeliveryRow.id == delivery_id)
    tx.session.refresh(row)
    return _delivery(row, _logs(tx, [row.id]).get(row.id, []))


def replay_since(
    tx: Transaction, site_id: str, webhook_id: str, *, since: datetime, states: Sequence[str]
) -> int:
    """Send again the events since a time that stand in some states; returns how many.

    Raises:
        NotFoundError: the site has no such webhook.
        ConflictError: it is disabled.
    """
    webhook = webhooks.hold(tx, site_id, webhook_id)
    refuse_disabled(webhook)
    return _again(
        tx,
        and_(
            DeliveryRow.webhook_id == webhook.id,
            DeliveryRow.created_at >= since,
            DeliveryRow.state.in_(states),
        ),
    )


def _again(tx: Transaction, which: ColumnElement[bool]) -> int:
    # One that is being tried at this moment is left to whoever tries it.
    free = or_(DeliveryRow.leased_until.is_(None), DeliveryRow.leased_until < tx.now)
    found = tx.session.execute(
        update(DeliveryRow)
        .where(which, free)
        .values(
            state=_PENDING, step=0, due_at=tx.now, leased_until=None, settled_at=None,
            ends_at=tx.now + KEEP_TRYING,
        )
        .returning(DeliveryRow.id)
        .execution_options(synchronize_session=False)
    )  # fmt: skip
    count = len(found.all())
    tx.announced = tx.announced or count > 0
    return count


def refuse_disabled(webhook: Webhook) -> None:
    """Refuse to send anything to a disabled webhook.

    Raises:
        ConflictError: it is disabled.
    """
    if webhook.disabled is not None:
        raise ConflictError(
            f"Webhook {webhook.id} is disabled, so that nothing is sent to it. Enable it first: "
            f'PATCH {webhook.url} with {{"enabled": true}}.',
            id=webhook.id,
        )


def _due(tx: Transaction) -> ColumnElement[bool]:
    return and_(
        DeliveryRow.state == _PENDING,
        DeliveryRow.due_at <= tx.now,
        or_(DeliveryRow.leased_until.is_(None), DeliveryRow.leased_until < tx.now),
    )


def _with_work(tx: Transaction, *, most: int) -> Select[WebhookRow]:
    query = select(WebhookRow).where(
        WebhookRow.disabled_at.is_(None),
        or_(WebhookRow.paused_until.is_(None), WebhookRow.paused_until <= tx.now),
        exists().where(DeliveryRow.webhook_id == WebhookRow.id, _due(tx)),
    )
    first = (WebhookRow.served_at.is_not(None), WebhookRow.served_at, WebhookRow.id)
    return query.order_by(*first).limit(most)


def _take(tx: Transaction, hook: WebhookRow, *, most: int, lease: timedelta) -> list[Taken]:
    if most <= 0:
        return []
    hook.served_at = tx.now
    tx.session.flush()
    oldest = (
        select(DeliveryRow.id)
        .where(DeliveryRow.webhook_id == hook.id, _due(tx))
        .order_by(DeliveryRow.due_at, DeliveryRow.created_at, DeliveryRow.id)
        .limit(most)
    )
    rows = tx.session.scalars(
        update(DeliveryRow)
        # Due is asked again: of two who chose the same, one waits for the other and finds it taken.
        .where(DeliveryRow.id.in_(oldest), _due(tx))
        .values(leased_until=tx.now + lease, attempts=DeliveryRow.attempts + 1)
        .returning(DeliveryRow)
        .execution_options(synchronize_session=False, populate_existing=True)
    ).all()
    is_old_good = hook.old_salt_until is not None and hook.old_salt_until > tx.now
    salts = (hook.salt, hook.old_salt) if hook.old_salt and is_old_good else (hook.salt,)
    return [
        Taken(
            id=row.id, webhook_id=hook.id, event_id=row.event_id, payload=row.payload,
            attempts=row.attempts, step=row.step, ends_at=row.ends_at, address=hook.address,
            salts=salts, key_mark=hook.key_mark, failures=hook.failures,
            failing_since=hook.failing_since,
        )
        for row in sorted(rows, key=lambda row: (row.created_at, row.id))
    ]  # fmt: skip


def _next(tx: Transaction, taken: Taken, pause: timedelta) -> datetime:
    return min(tx.now + pause, max(taken.ends_at, tx.now))


def _note(tx: Transaction, taken: Taken, tried: Tried) -> None:
    """Write on the webhook what a try says of it."""
    if tried.state is DeliveryState.DELIVERED:
        if taken.failures:
            _mark(tx, taken.webhook_id, failures=0, failing_since=None, paused_until=None)
    elif tried.is_theirs:
        spared = None if tried.spare is None else tx.now + tried.spare
        _mark(
            tx,
            taken.webhook_id,
            failures=WebhookRow.failures + 1,
            failing_since=func.coalesce(WebhookRow.failing_since, tx.now),
            paused_until=spared,
        )


def _mark(tx: Transaction, webhook_id: str, **values: Any) -> None:
    tx.session.execute(
        update(WebhookRow)
        .where(WebhookRow.id == webhook_id)
        .values(**values)
        .execution_options(synchronize_session=False)
    )


def _found(tx: Transaction, site_id: str, delivery_id: str) -> DeliveryRow:
    row = tx.session.get(DeliveryRow, delivery_id)
    if row is None or row.site_id != site_id:
        raise NotFoundError(
            f"There is no delivery {delivery_id!r}. GET /v1/webhooks/{{webhook}}/deliveries lists "
            "them; they are kept for 30 days.",
            id=delivery_id,
        )
    return row


def _logs(tx: Transaction, delivery_ids: Sequence[str]) -> dict[str, list[DeliveryAttempt]]:
    query = select(DeliveryAttemptRow).where(DeliveryAttemptRow.delivery_id.in_(delivery_ids))
    found: dict[str, list[DeliveryAttempt]] = {}
    for row in tx.session.scalars(query.order_by(DeliveryAttemptRow.number)):
        values = {name: value for name, value in columns_of(row).items() if name != "delivery_id"}
        found.setdefault(row.delivery_id, []).append(DeliveryAttempt(**values))
    return found


_HIDDEN: Final = frozenset({"site_id", "shopper_id", "payload", "step", "leased_until"})


def _delivery(row: DeliveryRow, log: Sequence[DeliveryAttempt]) -> Delivery:
    values = {name: value for name, value in columns_of(row).items() if name not in _HIDDEN}
    return Delivery(
        **values,
        last_attempt=log[-1] if log else None,
        url=f"/v1/webhooks/deliveries/{row.id}",
    )

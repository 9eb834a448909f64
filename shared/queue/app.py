"""The Celery application, configured once for the side that sends and the side that works."""

from typing import Any, Final

from celery import Celery
from kombu import Queue as KombuQueue

from shared.queue.connection import broker_url
from shared.queue.names import QUEUE_OF, Queue
from shared.settings import Settings

VISIBILITY_SECONDS: Final = 3600
"""After how long Redis gives a message, that a worker took and did not acknowledge, to another. A
training holds its message for as long as it takes, so a short time would only make duplicates; what
a dead worker held is sent again by upkeep, within RESEND_SECONDS at the latest."""


def create_app(settings: Settings, **extra: Any) -> Celery:
    """Return the Celery application.

    A message is only a hint: SQL is the truth, and upkeep sends again what was lost. So every
    choice here prefers a duplicate, which costs one failed claim, to a message acted on twice.
    """
    app = Celery("toile", set_as_current=False)
    app.conf.update(
        broker_url=broker_url(settings),
        # Only JSON is read: a pickle from whoever reaches Redis would run code.
        accept_content=["json"],
        task_serializer="json",
        task_default_queue=Queue.CHORES,
        task_queues=[KombuQueue(name) for name in Queue],
        task_routes={task.value: {"queue": queue.value} for task, queue in QUEUE_OF.items()},
        task_create_missing_queues=False,
        # Results live in SQL; the backend would only be a second, weaker truth.
        task_ignore_result=True,
        result_backend=None,
        # Early ones are lost with the worker. One whose task fails or whose child dies is
        # acknowledged too: the row knows what became of it.
        task_acks_late=True,
        # With this on, a child that is killed sends its message back without end; the lease and
        # its count of attempts do that with a limit.
        task_reject_on_worker_lost=False,
        # A message is taken when it can be worked on; one that waits in a busy worker waits for it.
        worker_prefetch_multiplier=1,
        # By name: only workers load it. It comes back soon after a Redis that was away for long.
        worker_consumer="shared.queue.consumer:ReturningConsumer",
        # The default gives up after a hundred tries and exits.
        broker_connection_max_retries=None,
        broker_connection_retry_on_startup=True,
        # On, a short loss of Redis would stop a training that is well.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        # Importing TensorFlow in the child takes longer than the default of four seconds.
        worker_proc_alive_timeout=60,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        # SIGTERM is left as Celery has it, without REMAP_SIGTERM: the parent stops taking messages
        # and waits, while the children, who see DRAINING, put their work back by themselves and
        # acknowledge. This is for SIGQUIT and Ctrl-C, which without it would end a child at once.
        worker_soft_shutdown_timeout=30,
        broker_transport_options={
            "visibility_timeout": VISIBILITY_SECONDS,
            # Looked for every ten seconds, not only each tenth time: what is due is restored soon.
            "unacked_restore_interval": 10,
            "unacked_restore_throttle": 1,
            "socket_timeout": 5,
            "socket_connect_timeout": 2,
            "queue_order_strategy": "round_robin",
        },
        **extra,
    )
    return app

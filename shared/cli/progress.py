"""Following a job from the command line."""

from shared.cli.output import say
from shared.client import Client
from shared.client.progress import watch
from shared.schemas.jobs import Job


def follow(
    client: Client, job: Job, title: str, *, quiet: bool = False, timeout: float | None = None
) -> Job:
    """Show a job's progress until it is over, and return it.

    Whoever leaves before that is told that it goes on.

    Raises:
        ApiError: it failed or was cancelled.
    """
    try:
        return watch(client, job, title, quiet=quiet, timeout=timeout)
    except KeyboardInterrupt:
        say(
            f"\n{title} goes on. `toile jobs wait {job.id}` watches it; "
            f"`toile jobs cancel {job.id}` ends it."
        )
        raise

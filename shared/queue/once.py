"""Things that may happen once: who comes second is told so."""

import hashlib
from typing import Final

from redis import Redis
from redis.exceptions import RedisError

from shared.errors import QueueUnavailableError

_PREFIX: Final = "toile:once:"


def first_use(redis: Redis, token: str, *, seconds: int) -> bool:
    """Return whether nobody used this token within the last `seconds`.

    Raises:
        QueueUnavailableError: Redis does not answer, so nobody can tell.
    """
    digest = hashlib.sha256(token.encode()).hexdigest()
    try:
        return bool(redis.set(_PREFIX + digest, 1, nx=True, ex=seconds))
    except RedisError as error:
        raise QueueUnavailableError(
            "Redis does not answer, so a link that works once cannot be checked. Log in with an "
            "API key, or try again soon."
        ) from error

"""The way to the server: its address and key, from options, the environment or TOILE_HOME."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import click
from pydantic import ValidationError

from shared.client import Client
from shared.client.keyfile import saved_key
from shared.errors import UnauthorizedError
from shared.schemas.base import Schema
from shared.settings import Settings, load_settings
from shared.stack.lock import holder
from shared.stack.places import stack_lock

Asked = TypeVar("Asked", bound=Schema)


def address_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--url` to a command."""
    return click.option(
        "--url",
        envvar="TOILE_URL",
        help="Where the server is; unset, the one that runs in TOILE_HOME, or port 8000 here.",
    )(function)


def with_client(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command a `Client` as its first argument, closed when it ends."""

    @click.option("--key", envvar="TOILE_API_KEY", hidden=True, expose_value=True)
    @address_option
    @wraps(function)
    def command(*args: Any, url: str | None, key: str | None, **kwargs: Any) -> Any:
        settings = load_settings()
        with Client(server_address(url, settings), key or _kept(settings)) as client:
            return function(client, *args, **kwargs)

    return command


def server_address(url: str | None, settings: Settings) -> str:
    """Return where the server is."""
    if url:
        return url.rstrip("/")
    found = holder(stack_lock(settings))
    return found.url if found and found.url else f"http://127.0.0.1:{settings.port or 8000}"


def asked(schema: type[Asked], **values: Any) -> Asked:
    """Return a request from a command's options.

    Raises:
        click.UsageError: a value does not fit.
    """
    given = {name: value for name, value in values.items() if value is not None}
    try:
        return schema.model_validate(given)
    except ValidationError as error:
        faults = [
            f"{'.'.join(map(str, fault['loc'])) or schema.__name__}: {fault['msg']}"
            for fault in error.errors(include_url=False, include_input=False)
        ]
        raise click.UsageError("; ".join(faults)) from None


def pairs_of(given: tuple[str, ...]) -> dict[str, str]:
    """Return options of the form NAME=VALUE by name.

    Raises:
        click.UsageError: one has no `=`.
    """
    pairs = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals:
            message = f"{pair!r} does not fit; write NAME=VALUE."
            raise click.UsageError(message)
        pairs[name.strip()] = value.strip()
    return pairs


def _kept(settings: Settings) -> str:
    secret = saved_key(settings)
    if secret is None:
        raise UnauthorizedError(
            "No API key. Set TOILE_API_KEY to one, or make one and keep it here with "
            "`toile key create --site NAME --save`."
        )
    return secret

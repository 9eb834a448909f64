"""The console's doors: signed links that let a browser in, and the sessions behind them.

Nothing is kept on the server: a token holds the id of an API key and the time, signed. It lets in
for as long as it is fresh and the key is not revoked.
"""

import os
import secrets
from pathlib import Path
from typing import Final

from itsdangerous import BadData, URLSafeTimedSerializer

from shared.errors import UnauthorizedError
from shared.settings import Settings

LINK_SECONDS: Final = 5 * 60
SESSION_SECONDS: Final = 12 * 3600

_LINK: Final = "toile-console-link"
_SESSION: Final = "toile-console-session"


def console_token(settings: Settings, key_id: str) -> str:
    """Return a token for `/login?token=...` that lets a browser in, once, for five minutes."""
    # The random part keeps two links of one second apart, for each works once.
    return _signer(settings, _LINK).dumps(f"{key_id} {secrets.token_hex(8)}")


def read_console_token(settings: Settings, token: str) -> str:
    """Return the key id that a link was made for.

    Raises:
        UnauthorizedError: the token is not ours, or is too old.
    """
    return _read(settings, token, purpose=_LINK, seconds=LINK_SECONDS).partition(" ")[0]


def session_token(settings: Settings, key_id: str) -> str:
    """Return what the session cookie of a browser that was let in holds."""
    return _signer(settings, _SESSION).dumps(key_id)


def read_session_token(settings: Settings, token: str) -> str:
    """Return the key id that a session was opened with.

    Raises:
        UnauthorizedError: the token is not ours, or is too old.
    """
    return _read(settings, token, purpose=_SESSION, seconds=SESSION_SECONDS)


def signing_key(settings: Settings) -> str:
    """Return the secret that signs: TOILE_SECRET_KEY, or one made once and kept in TOILE_HOME."""
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value()
    path = settings.home.resolve() / "secret-key"
    if not path.exists():
        _make_secret(path)
    return path.read_text().strip()


def _make_secret(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
        # A link, not a rename: of two processes that start at once the first one's secret stays.
        path.hardlink_to(temporary)
    except FileExistsError:
        return
    finally:
        temporary.unlink(missing_ok=True)


def _signer(settings: Settings, purpose: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(signing_key(settings), salt=purpose)


def _read(settings: Settings, token: str, *, purpose: str, seconds: int) -> str:
    try:
        found = _signer(settings, purpose).loads(token, max_age=seconds)
    except BadData:
        found = None
    if not isinstance(found, str):
        raise UnauthorizedError(
            "This link or session is not valid, or no longer. Log in with an API key, or make a "
            "new link with `toile console`."
        )
    return found

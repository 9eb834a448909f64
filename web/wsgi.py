"""What a WSGI server loads: `gunicorn -c python:web.gunicorn web.wsgi:app`."""

from typing import Final

from shared import logging, tracing
from shared.settings import Settings, load_settings
from web.app import Application, create_app


def _start(settings: Settings) -> Application:
    logging.configure(settings)
    tracing.configure(settings, service="toile-web")
    return create_app(settings)


app: Final = _start(load_settings())

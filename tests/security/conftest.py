"""The front with a filled site and a rival; each test tries an attack."""

from tests.integration.web.conftest import (  # noqa: F401 - fixtures, used by their names
    app,
    client,
    filled,
    nobody,
    pictures,
    records,
    rival,
    shop,
    store,
)

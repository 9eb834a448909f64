"""The front with a filled site, a rival, and a shopper's browser; each test tries an attack."""

from tests.fixtures.browsers import (  # noqa: F401 - fixtures, used by their names
    browser,
    front,
    indexed,
    make_key,
    others,
    own,
    publishable,
)
from tests.fixtures.front import (  # noqa: F401 - fixtures, used by their names
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

"""What all tests may ask for."""

from tests.fixtures.valkey import valkey_url

__all__ = ["valkey_url"]

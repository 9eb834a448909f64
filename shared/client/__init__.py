"""A Python client of Toile's HTTP API, for shops' own programs and for the command line."""

from shared.client.client import Client
from shared.client.failures import ApiError, UnreachableError

__all__ = ["ApiError", "Client", "UnreachableError"]

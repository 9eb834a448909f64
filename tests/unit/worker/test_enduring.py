from types import SimpleNamespace

import pytest
from kombu.transport.redis import Channel, Transport
from redis.exceptions import ConnectionError as RedisConnectionError

from worker.enduring import EnduringChannel, endure


def test_a_channel_whose_connection_is_gone_says_so_in_a_way_that_celery_expects() -> None:
    channel = EnduringChannel.__new__(EnduringChannel)
    channel.connection = SimpleNamespace(client=None)
    with pytest.raises(RedisConnectionError, match="was lost"):
        channel._connparams()
    assert RedisConnectionError in Transport.connection_errors


def test_kombu_still_needs_it() -> None:
    """Where this fails, kombu was mended, and worker/enduring.py can go."""
    channel = Channel.__new__(Channel)
    channel.connection = SimpleNamespace(client=None)
    with pytest.raises(AttributeError):
        channel._connparams()


def test_new_connections_use_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Transport, "Channel", Channel)
    endure()
    assert Transport.Channel is EnduringChannel

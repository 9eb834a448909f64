"""A Redis behind TLS, with a password: clients, messages and workers reach it, strangers do not."""

import datetime as dt
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr
from redis.exceptions import AuthenticationError
from redis.exceptions import ConnectionError as RedisConnectionError

from shared.errors import QueueUnavailableError
from shared.queue.app import create_app
from shared.queue.connection import connect
from shared.queue.names import Queue, Task
from shared.queue.sender import Sender
from shared.settings import Settings
from tests.fixtures.stack import free_port
from tests.fixtures.valkey import running_valkey

PASSWORD = "tls-test"  # noqa: S105 - of this test alone


def certificate(folder: Path) -> tuple[Path, Path]:
    """Write a certificate for this machine that signs itself; returns it and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = dt.datetime.now(dt.UTC)  # noqa: TID251 - of the certificate, not of Toile
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert, private = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return cert, private


@contextmanager
def behind_tls(unix_socket: str, cert: Path, key: Path) -> Iterator[int]:
    """Yield a port at which a server's socket is reached by TLS alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    listener = socket.create_server(("127.0.0.1", free_port()))

    def serve() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=carry, args=(plain,), daemon=True).start()

    def carry(plain: socket.socket) -> None:
        with (
            plain,
            suppress(OSError),
            context.wrap_socket(plain, server_side=True) as outer,
            socket.socket(socket.AF_UNIX) as inner,
        ):
            inner.connect(unix_socket)
            back = threading.Thread(target=pump, args=(inner, outer), daemon=True)
            back.start()
            pump(outer, inner)
            back.join()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()


def pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """The port of a Redis that wants TLS and a password, and the certificate to trust."""
    cert, key = certificate(tmp_path)
    with running_valkey() as url:
        settings = Settings(redis_url=SecretStr(url))
        with connect(settings) as plain:
            plain.config_set("requirepass", PASSWORD)
        with behind_tls(url.removeprefix("unix://").partition("?")[0], cert, key) as port:
            yield port, cert


def over_tls(port: int, cert: Path, password: str = PASSWORD) -> Settings:
    place = f"rediss://:{password}@localhost:{port}/0?ssl_cert_reqs=required&ssl_ca_certs={cert}"
    return Settings(redis_url=SecretStr(place))


def test_messages_go_and_come_over_tls(secured: tuple[int, Path]) -> None:
    settings = over_tls(*secured)
    Sender.from_settings(settings).send(Task.UPKEEP)
    with connect(settings) as client:
        assert client.llen(Queue.UPKEEP) == 1
    with create_app(settings).connection_for_read() as connection:
        queue = connection.SimpleQueue(Queue.UPKEEP)
        message = queue.get(timeout=10)
        assert message.headers["task"] == Task.UPKEEP
        message.ack()
        queue.close()


def test_a_wrong_password_and_a_certificate_that_nobody_trusts_are_refused(
    secured: tuple[int, Path], tmp_path: Path
) -> None:
    port, cert = secured
    with connect(over_tls(port, cert, "wrong")) as client, pytest.raises(AuthenticationError):
        client.ping()
    (tmp_path / "other").mkdir()
    stranger, _ = certificate(tmp_path / "other")
    with connect(over_tls(port, stranger)) as client, pytest.raises(RedisConnectionError):
        client.ping()
    with pytest.raises(QueueUnavailableError):
        Sender.from_settings(over_tls(port, stranger)).send(Task.UPKEEP)

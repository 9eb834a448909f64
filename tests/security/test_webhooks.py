"""Webhooks are no way into the server's own network, and nobody can forge, replay or stall them."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from shared.clock import utc_now
from shared.settings import Settings
from shared.webhooks.addresses import AddressRefusedError, check, networks_of, place_of
from shared.webhooks.sending import Answer, Post
from shared.webhooks.signing import headers_of, new_salts, secret_of
from tests.fixtures.certificate import certified
from tests.fixtures.receiver import Reply, receiver

HERE = networks_of(("127.0.0.0/8", "::1/128"))
PUBLIC = "93.184.215.14"
ZERO = ".".join("0000")


def at(*addresses: str) -> Callable[[str, int], Sequence[str]]:
    """Return a resolver that gives these addresses for any name."""
    return lambda _host, _port: addresses


def nowhere(host: str, _port: int) -> Sequence[str]:
    message = f"{host} was looked up, though it is no name"
    raise AssertionError(message)


def checked(address: str, resolve: Callable[[str, int], Sequence[str]] = nowhere) -> None:
    check(address, (), resolve=resolve, seconds=1)


def test_a_public_https_address_is_taken() -> None:
    checked("https://shop.example/hooks?a=b", at(PUBLIC, "2606:2800:21f:cb07:6820:80da:af6b:8b2c"))
    checked(f"https://{PUBLIC}/")
    checked("https://shop.example:8443/hooks", at(PUBLIC))


FORBIDDEN = (
    "127.0.0.1", "127.8.8.8", ZERO, "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255",
    "192.168.1.1", "169.254.169.254", "169.254.170.2", "100.64.0.1", "192.0.0.8", "192.0.2.1",
    "192.88.99.1", "198.18.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.1.1.1",
    "240.0.0.1", "255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "::ffff:93.184.215.14", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::7f00:1", "2002:7f00:1::",
    "2001::1", "2001:db8::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1",
    "3fff::1",
    "100::1", "5f00::1",
)  # fmt: skip


@pytest.mark.parametrize("inside", FORBIDDEN)
def test_no_name_leads_inside(inside: str) -> None:
    with pytest.raises(AddressRefusedError, match=r"shop\.example is at"):
        checked("https://shop.example/", at(inside))


@pytest.mark.parametrize("inside", FORBIDDEN)
def test_one_address_inside_is_enough_to_refuse_a_name(inside: str) -> None:
    with pytest.raises(AddressRefusedError):
        checked("https://shop.example/", at(PUBLIC, inside))


@pytest.mark.parametrize("inside", FORBIDDEN)
def test_no_literal_leads_inside(inside: str) -> None:
    host = f"[{inside}]" if ":" in inside else inside
    with pytest.raises(AddressRefusedError):
        checked(f"https://{host}/")


@pytest.mark.parametrize(
    "host",
    [
        "127.1", "127.0.1", "0x7f000001", "0x7f.0.0.1", "2130706433", "0177.0.0.1", "017700000001",
        "127.0.0.1.", "0", "0x", "1.1.1.1.1", "127.0.0.256", "[::ffff:127.0.0.1]", "[::1]",
        "[fe80::1%25eth0]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[0:0:0:0:0:ffff:7f00:1]",
        "localhost:0", "example.0x7f", "1.2.3.08", "①②⑦.⓪.⓪.①", "127。0。0。1",
    ],
)  # fmt: skip
def test_no_disguise_of_an_address_is_taken(host: str) -> None:
    with pytest.raises(AddressRefusedError):
        checked(f"https://{host}/")


@pytest.mark.parametrize("name", ["localhost", "localhost.", "metadata.google.internal", "router"])
def test_names_of_the_own_network_are_refused_by_where_they_lead(name: str) -> None:
    with pytest.raises(AddressRefusedError):
        checked(f"https://{name}/", at("127.0.0.1"))


@pytest.mark.parametrize(
    "address",
    [
        "http://shop.example/", "ftp://shop.example/", "file:///etc/passwd", "gopher://shop.example",
        "javascript:alert(1)", "//shop.example/", "shop.example", "https:///hooks", "https://",
        "https://user:password@shop.example/", "https://shop.example@127.0.0.1/",
        "https://127.0.0.1\\@shop.example/", "https://shop.example/#fragment",
        "https://shop.example:22/", "https://shop.example:25/", "https://shop.example:6379x/",
        "https://shop.example:99999/", "https://shop.example:0/", "https://sh op.example/",
        "https://-shop.example/", "https://shop..example/", "https://%31%32%37.0.0.1/",
        "https://" + "a" * 64 + ".example/", "https://" + "a." * 130 + "example/",
    ],
)  # fmt: skip
def test_addresses_that_do_not_fit_are_refused(address: str) -> None:
    with pytest.raises(AddressRefusedError):
        checked(address, at(PUBLIC))


@pytest.mark.parametrize(
    "address",
    [
        "https://shop.example/\r\nX-Evil: 1", "https://shop.example/\nX-Evil: 1",
        "https://shop.example\r\nHost: 127.0.0.1/", "https://shop.example/a\tb",
        "https://shop.example/\x00", "https://shop.example/?q=\x7f", "https://shop.example/\u2028",
        " https://shop.example/", "https://shop.example/ ",
    ],
)  # fmt: skip
def test_nothing_can_be_injected_by_an_address(address: str) -> None:
    with pytest.raises(AddressRefusedError) as refused:
        place_of(address)
    assert "\n" not in str(refused.value)
    assert "\r" not in str(refused.value)


def test_an_operators_own_network_may_be_reached_without_tls_and_metadata_never() -> None:
    own = networks_of(("10.0.0.0/8", "169.254.0.0/16", "0.0.0.0/0"))
    check("http://shop.internal/", own, resolve=at("10.1.2.3"), seconds=1)
    for never in ("169.254.169.254", ZERO, "224.0.0.1"):
        with pytest.raises(AddressRefusedError, match="never"):
            check("http://shop.internal/", own, resolve=at(never), seconds=1)
    with pytest.raises(AddressRefusedError, match="not encrypted"):
        check("http://shop.example/", HERE, resolve=at(PUBLIC), seconds=1)


def test_a_name_that_nobody_knows_or_tells_of_is_refused_in_time() -> None:
    def unknown(_host: str, _port: int) -> Sequence[str]:
        raise socket.gaierror

    with pytest.raises(AddressRefusedError, match="not known"):
        checked("https://shop.example/", unknown)

    def silent(_host: str, _port: int) -> Sequence[str]:
        time.sleep(3)
        return [PUBLIC]

    began = time.monotonic()
    with pytest.raises(AddressRefusedError, match="Nobody told"):
        check("https://shop.example/", (), resolve=silent, seconds=0.1)
    assert time.monotonic() - began < 2


def send(post: Post, address: str) -> Answer:
    return post.send(address, {"webhook-id": "evt_1"}, "{}")


def test_a_name_that_leads_inside_by_now_is_not_connected_to() -> None:
    """What the name said at registration does not count: it is looked up and checked again."""
    with receiver() as shop:
        checked("https://shop.example/", at(PUBLIC))
        post = Post((), resolve=at("127.0.0.1"))
        answer = send(post, f"https://shop.example:{shop.port}/")
        assert answer.status is None
        assert answer.error is not None
        assert "127.0.0.1" in answer.error
        assert shop.calls == []


def test_the_checked_address_is_the_one_that_is_connected_to(tmp_path: Path) -> None:
    """A name that says something else each time it is asked is asked once a connection."""
    server, client = certified(tmp_path, "shop.example")
    asked: list[str] = []

    def changing(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    with receiver(tls=server) as shop:
        post = Post(HERE, resolve=changing, tls=client)
        answer = send(post, f"https://shop.example:{shop.port}/hooks")
        assert (answer.status, answer.error) == (204, None)
        assert asked == ["shop.example"]
        assert shop.calls[0].headers["host"] == f"shop.example:{shop.port}"


def test_the_name_is_proved_though_the_address_is_pinned(tmp_path: Path) -> None:
    server, client = certified(tmp_path, "other.example")
    with receiver(tls=server) as shop:
        post = Post(HERE, resolve=at("127.0.0.1"), tls=client)
        answer = send(post, f"https://shop.example:{shop.port}/")
        assert answer.status is None
        assert "certificate" in str(answer.error).lower()
        assert shop.calls == []


def test_a_certificate_of_nobodys_is_refused(tmp_path: Path) -> None:
    server, _client = certified(tmp_path, "shop.example")
    with receiver(tls=server) as shop:
        post = Post(HERE, resolve=at("127.0.0.1"))
        assert send(post, f"https://shop.example:{shop.port}/").status is None
        assert shop.calls == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(status: int) -> None:
    with receiver() as inside:
        where = f"http://127.0.0.1:{inside.port}/secret"
        with receiver(lambda _call: Reply(status, {"Location": where})) as shop:
            answer = send(Post(HERE), shop.address)
        assert answer.status == status
        assert inside.calls == []


def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as proxy, receiver() as shop:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert send(Post(HERE), shop.address).status == 204
        assert len(shop.calls) == 1
        assert proxy.calls == []


def test_this_server_is_not_reached_by_its_own_public_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From inside, a machine reaches its own public address past the firewall."""
    import shared.webhooks.addresses as rules

    with receiver() as shop:
        monkeypatch.setattr(rules, "_forbidden", lambda *_args, **_options: None)  # as if public
        answer = send(Post(()), shop.address)
        assert "this server itself" in str(answer.error)
        assert shop.calls == []


def test_a_huge_answer_is_read_a_little_and_kept_less() -> None:
    with receiver(lambda _call: Reply(200, {}, b"x" * 50_000_000)) as shop:
        began = time.monotonic()
        answer = send(Post(HERE), shop.address)
    assert (answer.status, answer.error) == (200, None)
    assert answer.text == "x" * 1024
    assert time.monotonic() - began < 5


def test_an_answers_text_holds_nothing_that_harms_a_terminal_or_a_database() -> None:
    evil = b"\x00\x1b[2J\r\nok \xff <script>\x07\x9b"
    with receiver(lambda _call: Reply(500, {}, evil)) as shop:
        answer = send(Post(HERE), shop.address)
    assert "<script>" in answer.text  # escaped where it is shown
    assert not set(answer.text) & set("\x00\x1b\r\x07\x9b")


@contextmanager
def dripping(first: bytes, drip: bytes) -> Iterator[int]:
    """Yield the port of a server that answers a byte at a time, without end."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                try:
                    connection.sendall(first)
                    while not over.wait(0.05):
                        connection.sendall(drip)
                except OSError:
                    return

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            over.set()
            thread.join()


@pytest.mark.parametrize(
    ("scheme", "first", "drip"),
    [
        ("http", b"", b"H"),
        ("http", b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        ("https", b"", b"\x16\x03\x03\x40\x00"),
    ],
    ids=["status line", "headers", "TLS handshake"],
)
def test_a_slow_answer_is_cut_when_the_time_is_over(scheme: str, first: bytes, drip: bytes) -> None:
    with dripping(first, drip) as port:
        began = time.monotonic()
        answer = send(Post(HERE, seconds=0.6), f"{scheme}://127.0.0.1:{port}/")
    assert answer.status is None
    assert answer.error is not None
    assert time.monotonic() - began < 3


def test_a_slow_body_does_not_undo_what_the_status_said() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    with dripping(head, b"y") as port:
        began = time.monotonic()
        answer = send(Post(HERE, seconds=0.6), f"http://127.0.0.1:{port}/")
    assert (answer.status, answer.error) == (200, None)
    assert time.monotonic() - began < 3


def test_headers_without_end_are_refused() -> None:
    line = b"X-Long: " + b"y" * 1000 + b"\r\n"
    with dripping(b"HTTP/1.1 200 OK\r\n" + 200 * line, line) as port:
        answer = send(Post(HERE, seconds=5), f"http://127.0.0.1:{port}/")
    assert answer.status is None
    assert answer.seconds < 3


def test_what_is_no_http_is_an_error_like_any_other() -> None:
    with dripping(b"+OK redis\r\n", b"x") as port:
        assert send(Post(HERE, seconds=1), f"http://127.0.0.1:{port}/").status is None
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert "No connection" in str(send(Post(HERE), f"http://127.0.0.1:{port}/").error)


@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_replayed_webhook_is_refused_by_the_shops_library(tmp_path: Path, minutes: int) -> None:
    settings = Settings(home=tmp_path)
    secret = secret_of(settings, new_salts(settings))
    at_another_time = utc_now() + timedelta(minutes=minutes)
    headers = headers_of([secret], event_id="evt_1", at=at_another_time, payload="{}")
    with pytest.raises(WebhookVerificationError, match="timestamp"):
        Verifier(secret).verify("{}", headers)


@pytest.mark.parametrize("part", ["webhook-id", "webhook-timestamp", "webhook-signature", "body"])
def test_whatever_is_changed_on_the_way_is_found_out(tmp_path: Path, part: str) -> None:
    settings = Settings(home=tmp_path)
    secret = secret_of(settings, new_salts(settings))
    headers = headers_of([secret], event_id="evt_1", at=utc_now(), payload='{"a":1}')
    body = '{"a":2}' if part == "body" else '{"a":1}'
    changed = {
        "webhook-id": "evt_2",
        "webhook-timestamp": str(int(datetime.now(UTC).timestamp()) - 60),  # noqa: TID251
        "webhook-signature": "v1,AAAA",
    }
    if part != "body":
        headers[part] = changed[part]
    with pytest.raises(WebhookVerificationError):
        Verifier(secret).verify(body, headers)


def test_tls_is_of_the_kind_that_proves() -> None:
    from shared.webhooks.network import trust

    context = trust()
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED

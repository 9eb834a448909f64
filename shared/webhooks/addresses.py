"""Which addresses webhooks may go to: never into the server's own house.

An address is taken apart and checked here, once, and connected to by the parts: no second parser
can read it otherwise. Names are resolved at registration, to tell a fault early, and again for each
connection, where the addresses that were checked are the ones that are connected to.
"""

import ipaddress
import re
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from shared.errors import InvalidInputError

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Sequence[str]]
"""Host and port -> addresses as text; raises OSError where there are none."""

_PORTS: Final = {"https": 443, "http": 80}
_LEAST_FREE_PORT: Final = 1024
_PLAIN: Final = re.compile(r"[\x21-\x7e]+")
_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LONGEST_NAME: Final = 253

# Not even an operator's own network leads there: clouds keep their machines' credentials behind
# these, and the rest is nobody's.
_NEVER: Final = tuple(
    ipaddress.ip_network(one)
    for one in (
        "0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32", "::/128", "fe80::/10",
        "fec0::/10", "ff00::/8", "fd00:ec2::/32",
    )
)  # fmt: skip
# Global by their numbers, but not on the internet, or doors to IPv4 addresses that look otherwise.
_NOT_PUBLIC: Final = tuple(
    ipaddress.ip_network(one)
    for one in (
        "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "240.0.0.0/4",
        "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
    )
)  # fmt: skip
# What IANA has given out to the internet; 64:ff9b::/96, ::/96 and all else lie outside.
_GLOBAL_UNICAST: Final = ipaddress.IPv6Network("2000::/3")


class AddressRefusedError(InvalidInputError):
    """Webhooks do not go there."""


@dataclass(frozen=True)
class Place:
    """An address taken apart: what is connected to, and what is asked for there."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def is_plain(self) -> bool:
        """Whether nothing is encrypted on the way."""
        return self.scheme == "http"

    @property
    def authority(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def place_of(address: str) -> Place:
    """Take an address apart.

    Raises:
        AddressRefusedError: it is not an http or https address in plain characters, or it carries
            a password, a fragment, a host in disguise or a port that belongs to other services.
    """
    if not _PLAIN.fullmatch(address) or "\\" in address:
        raise _refused(
            address, "it holds characters that do not belong there. Write other ones as %xx, and "
            "names with other letters in their `xn--` form",
        )  # fmt: skip
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError as error:
        raise _refused(address, f"it cannot be read ({error})") from None
    if parts.scheme not in _PORTS:
        raise _refused(address, "only https addresses are taken")
    if "@" in parts.netloc:
        raise _refused(address, "it carries a user or password; the signature is what proves us")
    if "#" in address:
        raise _refused(address, "it has a fragment, which is never sent")
    host = _host(address, parts.hostname or "")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Place(parts.scheme, host, _port(address, parts.scheme, port), target)


def networks_of(written: Sequence[str]) -> tuple[Network, ...]:
    """Return the networks of TOILE_WEBHOOK_NETWORKS, which the settings have looked at."""
    return tuple(ipaddress.ip_network(one) for one in written)


def check(address: str, networks: Sequence[Network], *, resolve: Resolve, seconds: float) -> Place:
    """Return an address taken apart, if webhooks may go there now.

    Raises:
        AddressRefusedError: they may not.
    """
    place = place_of(address)
    reachable(place, networks, resolve=resolve, seconds=seconds)
    return place


def reachable(
    place: Place, networks: Sequence[Network], *, resolve: Resolve, seconds: float
) -> list[Ip]:
    """Return the addresses of a host, each of which may be connected to.

    One that may not makes all of them suspicious: whoever holds the name could change which comes
    first.

    Raises:
        AddressRefusedError: the host has no address, or one that is not allowed.
    """
    try:
        found = [ipaddress.ip_address(place.host)]
    except ValueError:
        found = _resolved(place, resolve, seconds)
    for one in found:
        why = _forbidden(one, networks, is_plain=place.is_plain)
        if why is not None:
            raise AddressRefusedError(f"The webhook's host {place.host} is at {one}: {why}.")
    return found


def system_resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system for a host's addresses."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


def _resolved(place: Place, resolve: Resolve, seconds: float) -> list[Ip]:
    found: list[Sequence[str]] = []

    def ask() -> None:
        try:
            found.append(resolve(place.host, place.port))
        except (OSError, UnicodeError):
            found.append(())

    # The system's resolver has no timeout of its own and cannot be stopped, only left behind.
    thread = threading.Thread(target=ask, name="resolver", daemon=True)
    thread.start()
    thread.join(max(seconds, 0))
    if not found:
        raise AddressRefusedError(
            f"Nobody told within {seconds:.0f} s where the webhook's host {place.host} is."
        )
    if not found[0]:
        raise AddressRefusedError(
            f"The webhook's host {place.host} is not known. Is the name spelt right?"
        )
    try:
        return [ipaddress.ip_address(one) for one in found[0]]
    except ValueError:  # an address with a zone, such as fe80::1%eth0
        raise AddressRefusedError(
            f"The webhook's host {place.host} is at {found[0][0]}, which is no public address."
        ) from None


def _forbidden(address: Ip, networks: Sequence[Network], *, is_plain: bool) -> str | None:
    """Return why an address may not be connected to, or None where it may."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    real = mapped or address
    if _within(real, _NEVER):
        return "webhooks never go there"
    if _within(real, networks):
        return None
    if not _is_public(real) or mapped is not None:
        return (
            "that is no address of the public internet. An operator who means it can add its "
            "network to TOILE_WEBHOOK_NETWORKS"
        )
    if is_plain:
        return "http is not encrypted, so it is taken only in TOILE_WEBHOOK_NETWORKS. Use https"
    return None


def _is_public(address: Ip) -> bool:
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return not _within(address, _NOT_PUBLIC)


def _within(address: Ip, networks: Sequence[Network]) -> bool:
    return any(one.version == address.version and address in one for one in networks)


def _host(address: str, written: str) -> str:
    host = written.removesuffix(".")
    if ":" in host:
        try:
            return str(ipaddress.IPv6Address(host))
        except ValueError:
            raise _refused(address, "its host is no IPv6 address") from None
    labels = host.split(".")
    # As browsers have it: what ends in a number means an IPv4 address, in whatever disguise.
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            raise _refused(
                address, "its host is a number, but no IPv4 address in four plain parts"
            ) from None
    if len(host) > _LONGEST_NAME or not all(_LABEL.fullmatch(one) for one in labels):
        raise _refused(address, "its host is no name of the internet")
    return host


def _port(address: str, scheme: str, port: int | None) -> int:
    if port is None or port == _PORTS[scheme]:
        return _PORTS[scheme]
    if port < _LEAST_FREE_PORT:
        raise _refused(
            address, f"port {port} belongs to other services. Use {_PORTS[scheme]}, or one from "
            f"{_LEAST_FREE_PORT} on",
        )  # fmt: skip
    return port


def _refused(address: str, why: str) -> AddressRefusedError:
    shown = address[:100].encode("unicode_escape").decode()
    return AddressRefusedError(f"The webhook address {shown!r} does not fit: {why}.")

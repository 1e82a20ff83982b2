"""Where webhooks may be sent: rules against being made to call what only this server can reach (Durable Streams §12.8).

A URL is checked as text when a subscription is created; each address a name resolves to is checked then and again at
every delivery, and the delivery connects to the very address that was checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import urlsplit

from signoff.errors import WebhookUrlRejected

Address = IPv4Address | IPv6Address


class Targets(Enum):
    """The addresses that webhooks may be sent to.

    Attributes:
        PUBLIC: addresses of the public Internet, by https.
        LOOPBACK: this machine too, also by http; for development and tests.
        PRIVATE: this machine and private networks too, also by http; where workers live beside the server.
    """

    PUBLIC = "public"
    LOOPBACK = "loopback"
    PRIVATE = "private"


@dataclass(frozen=True, slots=True)
class WebhookTarget:
    """The parts of a webhook's URL that decide where it goes."""

    scheme: str
    host: str
    port: int

    @property
    def receiver(self) -> str:
        """Return host and port: who answers there is one receiver, whatever the path."""
        return f"{self.host}:{self.port}"


NAT64: Final = IPv6Network("64:ff9b::/96")
COMPATIBLE: Final = IPv6Network("::/96")
SITE_LOCAL: Final = IPv6Network("fec0::/10")

NOBODY: Final = (
    IPv4Network("192.0.0.0/24"),  # protocol assignments (RFC 6890)
    IPv4Network("192.88.99.0/24"),  # relays between IPv4 and IPv6 (RFC 7526)
    IPv6Network("3fff::/20"),  # documentation (RFC 9637)
    IPv6Network("5f00::/16"),  # segment routing (RFC 9602)
)
"""Ranges of no host on the Internet that `ipaddress` of Python 3.11 does not know as such."""

METADATA: Final = frozenset(
    {
        ip_address("169.254.169.254"),  # most clouds
        ip_address("fd00:ec2::254"),  # AWS
        ip_address("fd00:ec2::23"),  # AWS, credentials of pods
        ip_address("fd20:ce::254"),  # Google Cloud
        ip_address("168.63.129.16"),  # Azure; looks public, is the host of the virtual machine
        ip_address("fd00:c1::a9fe:a9fe"),  # Oracle Cloud
        ip_address("192.0.0.192"),  # Oracle Cloud, the older one
        ip_address("100.100.100.200"),  # Alibaba Cloud
        ip_address("fd00:100::100:200"),  # Alibaba Cloud
        ip_address("fd00:42::42"),  # Scaleway
        ip_address("fd00:a9fe:a9fe::1"),  # Akamai
    }
)
"""Where clouds tell a machine its own secrets; never called, whatever is configured."""

METADATA_NETWORK: Final = IPv6Network("fd00:ec2::/32")
"""AWS keeps it for services of the machine's own, those that tell secrets among them."""

LONGEST_NAME: Final = 253
_LABEL: Final = re.compile(r"[A-Za-z0-9_-]{1,63}")


def parse(url: str) -> WebhookTarget:
    """Read a webhook's URL.

    Raises:
        WebhookUrlRejected: it is no http(s) URL with a host that DNS could know, or carries a name and password.
    """
    if any(not character.isprintable() or character in ' \\"<>^`{|}' for character in url) or not url.isascii():
        raise WebhookUrlRejected("A webhook's URL has no blanks, control characters or letters beyond ASCII.")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise WebhookUrlRejected("The webhook's URL is malformed.") from None
    if parts.scheme not in {"http", "https"} or not host or port == 0:
        raise WebhookUrlRejected("A webhook's URL begins with https:// (or http://, where that is allowed) and a host.")
    if parts.username is not None or parts.password is not None:
        raise WebhookUrlRejected("A webhook's URL carries no name and password: they would end up in logs.")
    if literal(host) is None if "[" in parts.netloc else not _is_name(host.removesuffix(".")):
        raise WebhookUrlRejected("The host of the webhook's URL is neither a name that DNS could know nor an address.")
    return WebhookTarget(parts.scheme, host.removesuffix("."), port or (443 if parts.scheme == "https" else 80))


def _is_name(host: str) -> bool:
    """Tell whether this could be a name or an IPv4 address (RFC 1035 §2.3.4, with the underscores that are in use)."""
    return len(host) <= LONGEST_NAME and all(_LABEL.fullmatch(label) for label in host.split("."))


def literal(host: str) -> Address | None:
    """Return the address that a host is; None if it is a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def check(address: Address, scheme: str, targets: Targets) -> None:
    """Refuse an address that webhooks may not be sent to.

    Raises:
        WebhookUrlRejected: it is this machine's, a private network's, a link's, a cloud's metadata, or no host's; or it
            is public and the scheme is not https.
    """
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        raise WebhookUrlRejected(f"{address} is an IPv4 address in disguise; nobody needs that on the Internet.")
    real = _real(address)
    if real in METADATA or real in METADATA_NETWORK:
        raise WebhookUrlRejected(f"{address} is where a cloud tells machines their secrets.")
    if real.is_loopback:
        allowed, what = targets is not Targets.PUBLIC, "this machine"
    elif _private(real):
        allowed, what = targets is Targets.PRIVATE, "a private network"
    elif not real.is_global or real.is_multicast or real.is_reserved or real in SITE_LOCAL or _in(real, NOBODY):
        allowed, what = False, "no host on the Internet"
    else:
        allowed, what = scheme == "https", "reached over the Internet, which takes https"
    if not allowed:
        raise WebhookUrlRejected(f"{address} is {what}.")


_PRIVATE: Final = (IPv4Network("10.0.0.0/8"), IPv4Network("172.16.0.0/12"), IPv4Network("192.168.0.0/16"))
_UNIQUE_LOCAL: Final = IPv6Network("fc00::/7")


def _private(address: Address) -> bool:
    """Tell whether this is RFC 1918 or RFC 4193; other special ranges are nobody's to call."""
    if isinstance(address, IPv6Address):
        return address in _UNIQUE_LOCAL
    return _in(address, _PRIVATE)


def _in(address: Address, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    return any(address in network for network in networks)


def _real(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address leads to, if it does."""
    if isinstance(address, IPv4Address):
        return address
    if address.scope_id is not None:
        return IPv6Address("fe80::")  # a link's, whatever it looks like
    inner = address.sixtofour
    if inner is None and address.teredo is not None:
        inner = address.teredo[1]
    if inner is None and (address in NAT64 or (address in COMPATIBLE and int(address) > 1)):
        inner = IPv4Address(int(address) & 0xFFFF_FFFF)
    return inner or address

"""Where webhooks may be sent."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from signoff.errors import WebhookUrlRejected
from signoff.streams.subscriptions.target import METADATA, Targets, WebhookTarget, literal, parse
from signoff.streams.subscriptions.target import check as check_address

LOOPBACK = ["127.0.0.1", "127.8.9.10", "::1", "64:ff9b::7f00:1", "2002:7f00:1::", "::7f00:1"]
PRIVATE = ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fd00::1", "64:ff9b::a00:1"]
NEVER = [
    "169.254.169.254",
    "169.254.1.1",
    "fe80::1",
    "fe80::1%eth0",
    "0.0.0.0",
    "::",
    "224.0.0.1",
    "ff02::1",
    "100.64.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "192.0.2.1",
    "198.18.0.1",
    "2001:db8::1",
    "fec0::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::a9fe:a9fe",
    "192.0.0.8",
    "192.88.99.1",
    "3fff::1",
    "5f00::1",
    "fd00:ec2::253",
    "64:ff9b::c058:6301",
    *map(str, METADATA),
]
PUBLIC = ["8.8.8.8", "2606:4700:4700::1111", "172.32.0.1", "11.0.0.1"]


def allowed(address: str, scheme: str, targets: Targets) -> bool:
    try:
        check_address(ip_address(address), scheme, targets)
    except WebhookUrlRejected:
        return False
    return True


@pytest.mark.parametrize("address", [*LOOPBACK, *PRIVATE, *NEVER, *PUBLIC])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_where_webhooks_may_go(address: str, scheme: str) -> None:
    public = address in PUBLIC and scheme == "https"
    assert allowed(address, scheme, Targets.PUBLIC) is public
    assert allowed(address, scheme, Targets.LOOPBACK) is (public or address in LOOPBACK)
    assert allowed(address, scheme, Targets.PRIVATE) is (public or address in LOOPBACK or address in PRIVATE)


def test_a_webhook_url_is_read() -> None:
    assert parse("https://Worker.example./hooks?a=1") == WebhookTarget("https", "worker.example", 443)
    assert parse("http://[::1]:8080") == WebhookTarget("http", "::1", 8080)
    assert parse(f"https://my_worker.{'a' * 63}.example").port == 443
    assert literal("::1") == ip_address("::1")
    assert literal("0x7f.1") is None  # the resolver says what that is, and what it says is checked


@pytest.mark.parametrize(
    "url",
    [
        "",
        "worker.example/hook",
        "//worker.example",
        "ftp://worker.example",
        "file:///etc/passwd",
        "gopher://x",
        "https://",
        "https:///hook",
        "https://u:p@worker.example",
        "https://u@worker.example",
        "https://worker.example:99999",
        "https://[::1",
        "https://worker.example/\r\nx: y",
        "https://worker example",
        "https://wörker.example",
        "http://127.0.0.1\\@worker.example",
        "javascript:alert(1)",
        "https://a..b/",
        "https://.com/",
        "https://./",
        "https://worker.example../",
        f"https://{'a' * 64}.com/",
        f"https://{'a.' * 126}com/",
        "https://%31.com/",
        "https://a,b/",
        "https://[v1.x]/",
        "https://worker.example:0/",
    ],
)
def test_what_is_no_webhook_url_is_refused(url: str) -> None:
    with pytest.raises(WebhookUrlRejected):
        parse(url)

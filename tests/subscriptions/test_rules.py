"""The small rules: globs, configurations, tokens, where webhooks may go."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff.errors import BadRequest, TokenInvalid, WebhookUrlRejected
from signoff.streams.subscriptions import config as configs
from signoff.streams.subscriptions import token as tokens
from signoff.streams.subscriptions.glob import Glob, check
from signoff.streams.subscriptions.target import METADATA, Targets, WebhookTarget, literal, parse
from signoff.streams.subscriptions.target import check as check_address

MATCHES = [
    ("events/*", "events/a", True),
    ("events/*", "events/a/b", False),
    ("events/*", "events", False),
    ("events/*", "eventsx/a", False),
    ("events/**", "events/a/b/c", True),
    ("events/**", "events", True),
    ("events/**", "events2", False),
    ("a/**/z", "a/z", True),
    ("a/**/z", "a/b/c/z", True),
    ("a/**/z", "a/b/c", False),
    ("**/z", "z", True),
    ("**/z", "a/b/z", True),
    ("**", "a", True),
    ("**", "a/b", True),
    ("*", "a", True),
    ("*", "a/b", False),
    ("*/b", "a/b", True),
    ("user-*/in", "user-7/in", True),
    ("user-*/in", "user-/in", True),
    ("user-*/in", "user/in", False),
    ("a.c", "abc", False),
    ("a/[b]", "a/[b]", True),
    ("a", "a", True),
    ("**", "runs/r1", False),
    ("*/r1", "runs/r1", False),
    ("runs/*", "runs/r1", True),
    ("runs/*", "runs/r1/journal", False),
    ("r*/r1", "runs/r1", False),
    ("**", "__ds/subscriptions/a", False),
]


@pytest.mark.parametrize(("pattern", "path", "expected"), MATCHES)
def test_a_glob_matches(pattern: str, path: str, expected: bool) -> None:
    assert Glob(check(pattern)).matches(path) is expected


@given(
    st.lists(st.sampled_from(["a", "b", "*", "**", "a*", "*b*"]), min_size=1, max_size=6),
    st.lists(st.sampled_from(["a", "b", "ab"]), min_size=1, max_size=7),
)
def test_what_matches_begins_with_the_prefix(pattern: list[str], path: list[str]) -> None:
    glob = Glob("/".join(pattern))
    if glob.matches("/".join(path)):
        assert "/".join(path).startswith(glob.prefix)
    plain = Glob("/".join(path))
    assert plain.matches("/".join(path))
    assert Glob("**").matches("/".join(path))


def test_a_glob_of_many_wildcards_is_matched_at_once() -> None:
    assert not Glob("/".join(["**", "a"] * 100)).matches("/".join(["a"] * 500) + "/b")
    assert not Glob("x/" + "*a" * 200 + "b").matches("x/" + "a" * 900)


@pytest.mark.parametrize("pattern", ["", "/", "a//b", "a/**b", "***", "a/../*", "__ds/*", "a\x00*", "x" * 2000])
def test_a_pattern_that_could_match_nothing_is_refused(pattern: str) -> None:
    with pytest.raises(BadRequest):
        check(pattern)


# -- configurations ----------------------------------------------------------------------------------------------------

HOOK: dict[str, Any] = {"type": "webhook", "pattern": "events/*", "webhook": {"url": "https://worker.example/hook"}}
PULL: dict[str, Any] = {"type": "pull-wake", "streams": ["b", "a", "/a"], "wake_stream": "/wake/pool"}


def test_a_configuration_is_normalized() -> None:
    config = configs.parse(PULL | {"lease_ttl_ms": 1_000, "more": "ignored"})
    assert config.streams == ("a", "b")
    assert config.wake_stream == "wake/pool"
    assert config.lease_ttl_ms == 1_000
    assert config.webhook is None
    assert configs.parse(HOOK).lease_ttl_ms == 30_000


@pytest.mark.parametrize(
    "change",
    [
        {"pattern": "events/**"},
        {"streams": ["x"]},
        {"webhook": {"url": "https://other.example"}},
        {"lease_ttl_ms": 1_000},
        {"description": "d"},
    ],
    ids=str,
)
def test_the_digest_tells_configurations_apart(change: dict[str, Any]) -> None:
    assert configs.parse(HOOK).digest == configs.parse(HOOK | {"lease_ttl_ms": 30_000, "streams": []}).digest
    assert configs.parse(HOOK).digest != configs.parse(HOOK | change).digest


@pytest.mark.parametrize(
    "body",
    [
        [],
        None,
        {},
        HOOK | {"type": "email"},
        HOOK | {"type": ["webhook"]},
        HOOK | {"type": {}},
        HOOK | {"webhook": None},
        HOOK | {"webhook": {}},
        HOOK | {"webhook": {"url": 7}},
        {"type": "webhook", "webhook": HOOK["webhook"]},
        HOOK | {"pattern": 7},
        HOOK | {"streams": "a"},
        HOOK | {"streams": [7]},
        HOOK | {"streams": [".."]},
        HOOK | {"streams": ["__ds/x"]},
        HOOK | {"lease_ttl_ms": 999},
        HOOK | {"lease_ttl_ms": 600_001},
        HOOK | {"lease_ttl_ms": True},
        HOOK | {"lease_ttl_ms": 1.5e3},
        HOOK | {"description": 7},
        HOOK | {"streams": ["x"] * 1001},
        PULL | {"wake_stream": None},
        PULL | {"wake_stream": "a"},
        PULL | {"wake_stream": "runs/r1"},
        PULL | {"wake_stream": "__ds/w"},
    ],
    ids=str,
)
def test_a_malformed_configuration_is_refused(body: object) -> None:
    with pytest.raises(BadRequest):
        configs.parse(body)


# -- tokens ------------------------------------------------------------------------------------------------------------


def test_a_token_tells_its_generation_to_its_subscription_alone() -> None:
    token = tokens.mint(b"key", "s", 7, 1_000)
    assert tokens.generation(b"key", "s", token, 2_000) == 7
    for key, name, now in ((b"other", "s", 2_000), (b"key", "t", 2_000), (b"key", "s", 1_000 + tokens.LIFETIME_MS)):
        with pytest.raises(TokenInvalid):
            tokens.generation(key, name, token, now)


@given(st.data())
def test_a_changed_token_is_refused(data: st.DataObject) -> None:
    token = tokens.mint(b"key", "s", 7, 1_000)
    place = data.draw(st.integers(0, len(token) - 1))
    changed = token[:place] + data.draw(st.characters()) + token[place + 1 :]
    if changed != token:
        with pytest.raises(TokenInvalid):
            tokens.generation(b"key", "s", changed, 1_000)
    with pytest.raises(TokenInvalid):
        tokens.generation(b"key", "s", data.draw(st.text()), 1_000)


# -- where webhooks may go ---------------------------------------------------------------------------------------------

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

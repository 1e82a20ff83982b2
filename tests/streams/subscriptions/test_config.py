"""Configurations: normalized, compared, and refused."""

from __future__ import annotations

from typing import Any

import pytest

from signoff.errors import BadRequest
from signoff.streams.subscriptions import config as configs

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

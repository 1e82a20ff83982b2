from __future__ import annotations

from typing import Any

import pytest

from signoff.errors import BadRequest
from signoff.server.http.address import base_of


def scope(host: str | None, **members: Any) -> dict[str, Any]:
    return {"headers": [] if host is None else [(b"host", host.encode())], "scheme": "http", **members}


@pytest.mark.parametrize(
    ("given", "public_url", "base"),
    [
        (scope("app.example"), None, "http://app.example"),
        (scope("[::1]:4437", scheme="https"), None, "https://[::1]:4437"),
        (scope("app.example", root_path="/sign off"), None, "http://app.example/sign%20off"),
        (scope("inner:80", root_path="/signoff"), "https://app.example/signoff/", "https://app.example/signoff"),
        (scope(None), "https://app.example", "https://app.example"),
    ],
)
def test_an_application_is_where_others_reach_it(given: dict[str, Any], public_url: str | None, base: str) -> None:
    assert base_of(given, public_url) == base


@pytest.mark.parametrize("host", [None, "", "a b", "evil.example/path", "user@evil.example", "a:99999999"])
def test_where_it_is_cannot_be_told_without_a_host(host: str | None) -> None:
    with pytest.raises(BadRequest, match="names no host"):
        base_of(scope(host), None)

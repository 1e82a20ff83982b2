"""What a server is told once, at its start: the key and the address it needs one for."""

from __future__ import annotations

import pytest

from signoff.errors import Forbidden
from signoff.server.config import ServerConfig, check_binding
from tests.server.hosting import KEYED, SECRET


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_loopback_needs_no_key(host: str) -> None:
    check_binding(host, ServerConfig())
    assert ServerConfig().keyless


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "signoff.example"])
def test_a_network_needs_a_key(host: str) -> None:
    check_binding(host, KEYED)
    with pytest.raises(Forbidden, match="SIGNOFF_SECRET"):
        check_binding(host, ServerConfig())


def test_a_short_key_is_refused() -> None:
    for secret in (b"", b"short", b"x" * 31):
        with pytest.raises(Forbidden, match="at least 32"):
            ServerConfig(secret=secret)
    with pytest.raises(TypeError, match="is bytes"):
        ServerConfig(secret="a text that is long enough for a key")  # type: ignore[arg-type]


def test_a_key_is_not_shown() -> None:
    assert SECRET.decode() not in repr(KEYED)
    assert "secret" not in repr(KEYED)


@pytest.mark.parametrize("name", ["", "a b", "a\r\nb", "a,b", "ä"])
def test_what_is_no_header_is_not_allowed(name: str) -> None:
    with pytest.raises(ValueError, match="no header's name"):
        ServerConfig(allow_headers=(name,))


@pytest.mark.parametrize("origin", ["localhost:5173", "*", "https://a.example/page", "https://u@a.example", "null", ""])
def test_what_is_no_origin_is_not_allowed(origin: str) -> None:
    with pytest.raises(ValueError, match="is no origin"):
        ServerConfig(origins=(origin,))

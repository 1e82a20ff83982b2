"""Tokens that are minted: what they say, and what is refused."""

from __future__ import annotations

import re

import jwt
import pytest

from signoff import tokens
from signoff.errors import Forbidden, Unauthorized
from signoff.server.access.tokens import TokenVerifier
from signoff.server.api.routes import OPERATIONS
from signoff.signing import Keyring

OLD, NEW = b"o" * 32, b"n" * 32


def test_a_token_is_narrow_named_and_soon_over() -> None:
    token = tokens.mint(OLD, "alice", groups={"b", "a"}, now=10**9)
    claims = jwt.decode(token, OLD, ["HS256"], options={"verify_exp": False})
    assert claims.pop("jti")
    times = {"iat": 10**9, "exp": 10**9 + int(tokens.DEFAULT_TTL_S)}
    assert claims == {"sub": "alice", "groups": ["a", "b"], "grants": [], **times}


def test_issuer_and_audience_are_what_a_server_expects() -> None:
    verifier = TokenVerifier(Keyring((OLD,)), "app", issuer="https://id.example")
    good = tokens.mint(OLD, "alice", audience="app", issuer="https://id.example", jti="t1")
    assert verifier.identify(f"Bearer {good}").via == "token:t1"
    for aud, iss in ((None, "https://id.example"), ("app", None), ("x", "https://id.example"), ("app", "x")):
        with pytest.raises(Unauthorized):
            verifier.identify(f"Bearer {tokens.mint(OLD, 'alice', audience=aud, issuer=iss)}")


def test_secrets_rotate_without_a_refused_token() -> None:
    before, after = Keyring((OLD,)), Keyring((NEW, OLD))
    old, new = tokens.mint(before, "alice"), tokens.mint(after, "alice")
    assert TokenVerifier(after).identify(f"Bearer {old}").sub == "alice"
    assert TokenVerifier(after).identify(f"Bearer {new}").sub == "alice"
    with pytest.raises(Unauthorized):
        TokenVerifier(Keyring((NEW,))).identify(f"Bearer {old}")


def test_what_would_be_too_much_for_a_browser_is_asked_for_in_so_many_words() -> None:
    with pytest.raises(Forbidden, match="nothing for a browser"):
        tokens.mint(OLD, "alice", grants={"operator"})
    boss = TokenVerifier(Keyring((OLD,))).identify(f"Bearer {tokens.mint(OLD, 'boss', operator=True)}")
    assert boss.operator


def test_what_no_server_would_take_is_not_minted() -> None:
    for sub, ttl in (("", 60.0), ("a/b", 60.0), ("alice", 0.0), ("alice", 1e9), ("alice", float("nan"))):
        with pytest.raises(ValueError, match=r"principal|lasts"):
            tokens.mint(OLD, sub, ttl_s=ttl)
    with pytest.raises(TypeError):
        tokens.mint(OLD, "alice", groups="finance")
    with pytest.raises(Forbidden, match="at least 32"):
        tokens.mint(b"short", "alice")


def test_grants_that_no_endpoint_asks_for_are_not_minted() -> None:
    asked = {found for one in OPERATIONS for found in re.findall(r"`(\w+:\w+):", one.grant or "")}
    assert asked | {"stream:read", "stream:write"} <= set(tokens.ACTIONS)
    for action in tokens.ACTIONS:
        assert tokens.mint(OLD, "alice", grants={f"{action}:*"})
    for wrong in ("run:raed:r1", "run:read", "run:read:", "run", ":", "::", "*", "", "operator:r1", "run::r1"):
        with pytest.raises(ValueError, match="There is no grant"):
            tokens.mint(OLD, "alice", grants={wrong})

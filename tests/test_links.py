from __future__ import annotations

import time

import jwt
import pytest

from signoff.errors import Gone, NotFound
from signoff.links import LONGEST, make, mint, read
from signoff.signing import Keyring

NEW, OLD = Keyring((b"n" * 32,)), Keyring((b"o" * 32,))


def test_a_link_says_what_it_was_made_for() -> None:
    to, at = ["user:alice", "group:finance"], "2026-03-01T09:30:00.000Z"
    link = make(NEW, "r1", "approve:0", to, actions=["approve"], ttl_s=60, once=True, asked_at=at)
    back = read(NEW, link.token, time.time())
    assert back == link
    assert (back.to, back.actions, back.once, back.asked_at) == (tuple(to), ("approve",), True, at)


def test_what_was_signed_with_an_old_secret_is_good_after_a_rotation() -> None:
    token = make(OLD, "r1", "approve:0", "user:alice").token
    assert read(Keyring((*NEW.secrets, *OLD.secrets)), token, time.time()).run_id == "r1"
    with pytest.raises(NotFound):
        read(NEW, token, time.time())


def test_a_link_ends() -> None:
    link = make(NEW, "r1", "approve:0", "user:alice", ttl_s=60, now_s=1000)
    assert read(NEW, link.token, 1059.9).expires_at == 1060
    with pytest.raises(Gone):
        read(NEW, link.token, 1060)


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é" * 9, "x" * 5000])
def test_what_is_no_link_is_refused(token: str) -> None:
    with pytest.raises(NotFound):
        read(NEW, token, 0)


def test_no_bearer_token_is_a_link_and_no_link_is_signed_with_the_secret_itself() -> None:
    claims = {"r": "r1", "k": "approve:0", "to": ["user:alice"], "exp": 1 << 40, "jti": "j"}
    with pytest.raises(NotFound):
        read(NEW, jwt.encode(claims, NEW.signing, "HS256"), 0)
    for odd in ({"to": ["alice"]}, {"r": 1}, {"k": "approve"}, {"jti": "/"}, {"to": None}, {"exp": "x"}, {"q": 1}):
        with pytest.raises(NotFound):
            read(NEW, jwt.encode(claims | odd, NEW.of("link").signing, "HS256"), 0)
    with pytest.raises(NotFound):
        read(NEW, jwt.encode(claims, "", "none"), 0)


def test_what_cannot_be_a_link_is_not_made() -> None:
    for to in ("alice", "group:finance", ["user:a", "user:b"], []):
        with pytest.raises(ValueError, match="one person"):
            make(NEW, "r1", "approve:0", to)
    with pytest.raises(ValueError, match="request's key"):
        make(NEW, "r1", "approve", "user:alice")
    with pytest.raises(ValueError, match="at least one action"):
        make(NEW, "r1", "approve:0", "user:alice", actions=[])
    with pytest.raises(TypeError, match="`actions` of a link is a list of texts"):
        make(NEW, "r1", "approve:0", "user:alice", actions="approve")
    with pytest.raises(ValueError, match="ends after"):
        make(NEW, "r1", "approve:0", "user:alice", ttl_s=0)
    with pytest.raises(ValueError, match="`asked_at` of a request's row"):
        make(NEW, "r1", "approve:0", "user:alice", asked_at="yesterday")
    with pytest.raises(ValueError, match=f"{LONGEST} is the most"):
        mint(NEW, "r1", "approve:0", "user:alice", actions=["a" * 900], base_url="https://app.example")


def test_nothing_shows_the_token_of_a_link() -> None:
    link = make(NEW, "r1", "approve:0", "user:alice")
    assert link.token not in repr(link)

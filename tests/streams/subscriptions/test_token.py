"""Tokens of a wake."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff.errors import TokenInvalid
from signoff.streams.subscriptions import token as tokens


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

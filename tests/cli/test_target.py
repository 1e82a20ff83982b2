"""Where operations go."""

from __future__ import annotations

from signoff.cli.target import Target


def test_a_token_is_not_shown() -> None:
    target = Target.of(None, "http://127.0.0.1:4437", "eyJhbGciOiJub25lIn0.e30.")
    assert target.token == "eyJhbGciOiJub25lIn0.e30."
    assert "eyJ" not in repr(target)

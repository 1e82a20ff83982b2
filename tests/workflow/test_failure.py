from __future__ import annotations

import pytest

from signoff import InputExpired, PublicError, StepFailed
from signoff.workflow.failure import error_of


class CardDeclined(PublicError):
    code = "card_declined"


class HTTPServerError(Exception): ...


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    ("error", "code", "message", "public"),
    [
        (ValueError("secret"), "value_error", "secret", False),
        (HTTPServerError("x"), "http_server_error", "x", False),
        (OSError("gone"), "os_error", "gone", False),
        (PublicError("Sorry."), "public_error", "Sorry.", True),
        (CardDeclined("No."), "card_declined", "No.", True),
        (InputExpired("late"), "input_expired", "late", False),
        (StepFailed("x", error={"public": True, "message": "Sorry."}), "step_failed", "Sorry.", True),
        (StepFailed("x", error={"public": False, "message": "secret"}), "step_failed", "x", False),
        (StepFailed("x"), "step_failed", "x", False),
        (ExceptionGroup("g", [ExceptionGroup("h", [KeyError("k")])]), "key_error", "'k'", False),
        (Mute(), "mute", "", False),
        (ValueError("\ud800"), "value_error", "?", False),
    ],
)
def test_how_exceptions_stand_in_the_journal(error: Exception, code: str, message: str, public: bool) -> None:
    found = error_of(error)
    assert (found.code, found.message, found.public) == (code, message, public)


def test_several_errors_stay_a_group() -> None:
    found = error_of(ExceptionGroup("two", [KeyError("a"), ValueError("b")]))
    assert found.code == "exception_group"
    assert found.type == "builtins.ExceptionGroup"


def test_long_messages_are_cut() -> None:
    assert len(error_of(ValueError("x" * 100_000)).message) == 4_000

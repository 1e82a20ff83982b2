from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from signoff import EventTimedOut, InputExpired, InputWithdrawn, PublicError, StepFailed
from signoff.workflow.failure import causes_of, error_of


class CardDeclined(PublicError):
    code = "card_declined"


class HTTPServerError(Exception): ...


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class Hollow(Exception):
    def __getattr__(self, name: str) -> object:
        raise KeyError(name)


class Computed(Exception):
    code = property(lambda self: 1 / 0)


class Leaves(Exception):
    code = property(lambda self: sys.exit(3))

    def __str__(self) -> str:
        raise KeyboardInterrupt

    def __repr__(self) -> str:
        raise GeneratorExit


class Disguised(Exception):
    @property  # type: ignore[misc]
    def __class__(self) -> type:
        raise RuntimeError("who asks?")


class Text(str):
    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparison")

    __hash__ = str.__hash__


class Shouting(Exception):
    code = Text("loud")


class OddGroup(ExceptionGroup[Exception]):
    @property
    def exceptions(self) -> tuple[Exception, ...]:
        raise RuntimeError("not telling")


class Extra(StepFailed):
    @property
    def extra(self) -> dict[str, object]:
        raise RuntimeError("none")

    @extra.setter
    def extra(self, value: object) -> None: ...


class Nameless(type):
    @property
    def __module__(cls) -> str:  # type: ignore[override]
        raise RuntimeError("nowhere")


class Nowhere(Exception, metaclass=Nameless): ...


class Broken(Exception):
    __module__ = "\ud800"


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: Hollow("x"), "hollow"),
        (lambda: Computed("x"), "computed"),
        (lambda: Leaves("x"), "leaves"),
        (lambda: Disguised("x"), "disguised"),
        (lambda: Shouting("x"), "shouting"),
        (lambda: OddGroup("x", [KeyError("a")]), "key_error"),
        (lambda: Extra("x"), "step_failed"),
        (lambda: Nowhere("x"), "exception"),
        (lambda: Broken("x"), "broken"),
        (lambda: StopIteration(1), "stop_iteration"),
        (GeneratorExit, "generator_exit"),
        (lambda: BaseExceptionGroup("g", [KeyboardInterrupt(), SystemExit()]), "base_exception_group"),
    ],
)
def test_an_exception_that_cannot_be_asked_is_told_by_what_is_known(
    make: Callable[[], BaseException], code: str
) -> None:
    found = error_of(make())
    assert found.code == code
    found.type.encode()


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


def raised(error: Exception, cause: BaseException | None = None, *, context: BaseException | None = None) -> Exception:
    error.__cause__, error.__context__ = cause, context
    return error


PAY, NOTE = StepFailed("no", step="pay:0"), StepFailed("no", step="note:0")
LOOP = raised(KeyError("a"))
LOOP.__context__ = raised(KeyError("b"), LOOP)


class Unasked(ExceptionGroup[Exception]):
    @property
    def exceptions(self) -> Any:
        raise AttributeError


@pytest.mark.parametrize(
    ("error", "causes"),
    [
        (PAY, ["pay:0"]),
        (InputExpired("late", input="approve:0"), ["approve:0"]),
        (EventTimedOut("late", wait="paid:1"), ["paid:1"]),
        (ExceptionGroup("two", [ExceptionGroup("one", [NOTE]), PAY, NOTE]), ["note:0", "pay:0"]),
        (Unasked("one", [PAY]), ["pay:0"]),
        (raised(ValueError(), PAY), ["pay:0"]),
        (raised(ValueError(), raised(KeyError(), NOTE), context=PAY), ["note:0"]),
        (raised(ValueError(), context=ExceptionGroup("two", [PAY, NOTE])), ["pay:0", "note:0"]),
        (raised(StepFailed("no", step="undo:0"), context=PAY), ["undo:0"]),
        (raised(StepFailed("made up"), PAY), ["pay:0"]),
        (InputWithdrawn("no", input="approve:0"), []),
        (ValueError(), []),
        (LOOP, []),
        (None, []),
    ],
)
def test_whose_errors_ended_the_code(error: BaseException | None, causes: list[str]) -> None:
    assert causes_of(error) == tuple(causes)


def test_several_errors_stay_a_group() -> None:
    found = error_of(ExceptionGroup("two", [KeyError("a"), ValueError("b")]))
    assert found.code == "exception_group"
    assert found.type == "builtins.ExceptionGroup"


def test_long_messages_are_cut() -> None:
    assert len(error_of(ValueError("x" * 100_000)).message) == 4_000

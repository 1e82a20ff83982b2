from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from signoff import InputExpired, PublicError, StepFailed
from signoff.workflow.failure import error_of


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


def test_several_errors_stay_a_group() -> None:
    found = error_of(ExceptionGroup("two", [KeyError("a"), ValueError("b")]))
    assert found.code == "exception_group"
    assert found.type == "builtins.ExceptionGroup"


def test_long_messages_are_cut() -> None:
    assert len(error_of(ValueError("x" * 100_000)).message) == 4_000

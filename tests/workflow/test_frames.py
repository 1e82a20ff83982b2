from __future__ import annotations

import linecache
from typing import Any

import orjson
import pytest

from signoff.workflow import journal
from signoff.workflow.entry import Entry, Error, StackFrame
from signoff.workflow.failure import error_of, reason
from signoff.workflow.frames import MOST, MOST_TEXT, frames_of, traceback_of
from signoff.workflow.projection import project
from signoff.workflow.run.entries import RunBlocked, RunFailed, RunStarted
from signoff.workflow.step.entries import StepFailed, StepScheduled
from signoff.workflow.view import View


def caught(raises: Any) -> BaseException:
    try:
        raises()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def deep(levels: int) -> None:
    if levels:
        deep(levels - 1)
    raise ValueError("at the bottom")


def test_the_place_is_kept_with_its_line_of_source() -> None:
    frame = frames_of(caught(lambda: deep(0)))[-1]
    assert (frame.file, frame.function) == (__file__, "deep")
    assert frame.source == 'raise ValueError("at the bottom")'
    assert linecache.getline(frame.file, frame.line).strip() == frame.source


@pytest.mark.parametrize("levels", [0, 5, 500])
def test_so_many_frames_are_kept_and_the_innermost_among_them(levels: int) -> None:
    frames = frames_of(caught(lambda: deep(levels)))
    assert len(frames) <= MOST
    assert sum(len(frame.file + frame.function + frame.source) for frame in frames) <= MOST_TEXT
    assert frames[-1].source == 'raise ValueError("at the bottom")'


def test_our_own_frames_are_left_out_unless_there_are_no_others() -> None:
    own = caught(lambda: journal.from_json({}))
    assert [frame.function.rpartition(".")[2] for frame in frames_of(own)] == ["caught", "<lambda>"]
    bare = own.with_traceback(own.__traceback__.tb_next.tb_next)  # type: ignore[union-attr]
    assert [frame.function for frame in frames_of(bare)] == ["from_json", "_read"]
    assert frames_of(ValueError("never raised")) == ()


def test_nothing_of_the_exception_runs() -> None:
    class Nasty(Exception):
        def __getattribute__(self, name: str) -> Any:
            raise AssertionError(name)

    def raises() -> None:
        raise Nasty

    assert frames_of(caught(raises))[-1].function.endswith("raises")


def test_code_without_a_file_and_names_that_are_no_text_are_kept_too() -> None:
    space: dict[str, Any] = {}
    exec(compile("def f():\n    raise ValueError('x')\n", "odd\udc80name", "exec"), space)
    error = error_of(caught(space["f"]))
    assert (error.frames[-1].file, error.frames[-1].source) == ("odd?name", "")
    assert journal.loads(journal.dumps([RunFailed(1, error)])) == [RunFailed(1, error)]


def test_frames_survive_the_journal() -> None:
    error = error_of(caught(lambda: deep(3)))
    [written] = journal.loads(journal.dumps([StepFailed(1, "a:0", 1, error)]))
    assert isinstance(written, StepFailed)
    assert written.error.frames == error.frames != ()
    plain = orjson.loads(journal.dumps([RunFailed(1, Error("a", "b"))]))
    assert "frames" not in plain["error"]


def test_an_error_reads_as_python_writes_it() -> None:
    error = Error("value_error", "no", "builtins.ValueError", frames=(StackFrame("a.py", 3, "pay", "raise it"),))
    lines = [
        "Traceback (most recent call last):",
        '  File "a.py", line 3, in pay',
        "    raise it",
        "builtins.ValueError: no",
    ]
    assert traceback_of(error).splitlines() == lines
    assert traceback_of(Error("stuck", "for ever")) == "stuck: for ever"


def test_no_frame_and_no_type_reaches_a_row() -> None:
    secret = "a_function_nobody_shall_know"
    space: dict[str, Any] = {}
    exec(compile(f"def {secret}():\n    raise ValueError('{secret}')\n", f"/{secret}.py", "exec"), space)
    error = error_of(caught(space[secret]))
    assert secret in error.frames[-1].file
    entries: list[Entry] = [
        RunStarted(1, "r1", "w", "1", None, "seed", "d"),
        StepScheduled(1, "a:0"),
        StepFailed(1, "a:0", 1, error, retry_at=9),
        StepFailed(1, "a:0", 2, error),
        RunBlocked(1, error),
        RunFailed(2, error),
    ]
    delta = project(View(), entries, 0)
    assert len(delta.public) == 6
    for message in (*delta.public, *delta.listing, *(message for _, message in delta.inboxes)):
        assert secret.encode() not in message


def test_a_reason_is_the_same_whatever_addresses_it_names() -> None:
    assert reason(Error("a", "<X at 0x7f00>")) == reason(Error("a", "<X at 0x7fAB>"))
    assert len({reason(Error(*parts)) for parts in (("a", "b"), ("a", "c"), ("b", "b"), ("a", "b", "t"))}) == 4

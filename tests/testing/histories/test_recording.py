"""What clients record, and how it is written down for people."""

from __future__ import annotations

from pathlib import Path

import pytest

from signoff.testing.histories.recording import RecordedCall, Recorder, write


async def _returns(result: int) -> int:
    return result


async def _fails(error: Exception) -> int:
    raise error


async def test_a_reply_is_recorded_and_a_lost_one_is_unknown() -> None:
    recorder = Recorder(unknown=(ConnectionError,))
    assert await recorder.record("c", "s", "get", 1, lambda: _returns(7)) == 7
    assert await recorder.record("c", "s", "get", 2, lambda: _fails(ConnectionError())) is None
    known, lost = recorder.operations
    assert (known.given, known.result, known.unknown) == (1, 7, False)
    assert known.returned is not None
    assert known.called < known.returned < lost.called
    assert (lost.given, lost.result, lost.unknown) == (2, None, True)


async def test_what_a_process_saw_is_told_as_it_goes() -> None:
    told: list[tuple[int, bool | None]] = []
    recorder = Recorder(sink=lambda number, call: told.append((number, None if call is None else call.unknown)))
    await recorder.record("c", "s", "get", 1, lambda: _returns(7))
    recorder.forget(recorder.begin("c", "s", "claim", None))
    assert told == [(0, True), (0, False), (1, True), (1, None)]
    assert [one.name for one in recorder.operations] == ["get"]


async def test_any_other_error_is_the_test_s_own() -> None:
    recorder = Recorder(unknown=(ConnectionError,))
    with pytest.raises(ZeroDivisionError):
        await recorder.record("c", "s", "get", 1, lambda: _fails(ZeroDivisionError()))


def test_a_history_is_written_a_line_an_operation(tmp_path: Path) -> None:
    operations = [
        RecordedCall("c2", "run", "cancel", {"reason": "x"}, 3_000_000),
        RecordedCall("c1", "run", "start", None, 1_000_000, 2_500_000, "created"),
    ]
    text = write(tmp_path / "history.txt", operations, seed=7, why="a reason").read_text()
    assert text.splitlines() == [
        "seed 7",
        "a reason",
        "",
        "     0.000      1.500  run          c1 start None -> 'created'",
        "     2.000          ?  run          c2 cancel {'reason': 'x'} -> (no reply)",
    ]

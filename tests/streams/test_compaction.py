"""Live rows: what they fold to is what all messages fold to, wherever the cut, and nothing is re-written."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff.errors import BadRequest
from signoff.streams import compaction, json_mode, state
from signoff.streams.compaction import LiveRow, RowChanges, as_insert, fold
from signoff.streams.stream import Head, Payload

AT = "2026-01-02T03:04:05.000Z"
NAMES = st.tuples(st.sampled_from(["run", "step"]), st.sampled_from("abc"))
VALUES = st.one_of(
    st.none(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5).map(lambda s: {s: s}),
)


def message(operation: str, name: tuple[str, str], value: Any, txid: str | None) -> bytes:
    return state.change(state.Operation(operation), *name, value, timestamp=AT, txid=txid)


CHANGES = st.builds(
    message, st.sampled_from(["insert", "update", "delete"]), NAMES, VALUES, st.none() | st.text(min_size=1, max_size=3)
)
CONTROLS = st.sampled_from(list(state.Control)).map(lambda name: b'{"headers":{"control":"%s"}}' % name.encode())
MESSAGES = st.lists(st.one_of(CHANGES, CHANGES, CHANGES, CONTROLS), max_size=24)


def applied(rows: dict[tuple[str, str], LiveRow], changes: RowChanges) -> dict[tuple[str, str], LiveRow]:
    """Do what a store does."""
    kept = {} if changes.clear else {name: row for name, row in rows.items() if name not in changes.gone}
    for row in changes.rows:
        old = kept.get((row.type, row.key))
        kept[row.type, row.key] = LiveRow(row.type, row.key, old.position if old else row.position, row.message)
    return kept


@given(MESSAGES, st.data())
def test_rows_and_the_rest_fold_to_what_everything_folds_to(messages: list[bytes], data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(messages)), max_size=4)))
    rows: dict[tuple[str, str], LiveRow] = {}
    at = 0
    for cut in cuts:
        changes = fold(messages[at:cut], at)
        assert changes.at == cut
        rows, at = applied(rows, changes), cut
    snapshot = [row.message for row in sorted(rows.values(), key=lambda row: row.position)]
    assert all(orjson.loads(one)["headers"]["operation"] == "insert" for one in snapshot)
    whole = state.fold(messages)
    assert state.fold([*snapshot, *messages[at:]]) == whole
    # In the order in which rows appeared, too, as clients show them.
    assert list(state.fold([*snapshot, *messages[at:]])) == list(whole)


@given(MESSAGES)
def test_a_row_has_a_place_of_its_own(messages: list[bytes]) -> None:
    positions = [row.position for row in fold(messages, 7).rows]
    assert positions == sorted(set(positions))
    assert all(7 <= position < 7 + len(messages) for position in positions)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            b'{"type":"t","key":"k","value":{"n":1.0},"headers":{"operation":"update","txid":"7","timestamp":"x"}}',
            b'{"type":"t","key":"k","value":{"n":1.0},"headers":{"operation":"insert","txid":"7","timestamp":"x"}}',
        ),
        (
            b'{ "key": "k", "headers" : {"by": 9999999999999999999, "operation": "update"}, "value": 1e2 , "type":"t"}',
            b'{"key":"k","headers":{"by":9999999999999999999,"operation":"insert"},"value":1e2,"type":"t"}',
        ),
        (
            b'{"type":"t","key":"k","value":{"headers":{"operation":"update"}},"old_value":[1,{}],"headers":{"operation":"update"}}',
            b'{"type":"t","key":"k","value":{"headers":{"operation":"update"}},"headers":{"operation":"insert"}}',
        ),
        (
            b'{"headers":{"operation":"update"},"type":"t","key":"k","value":{"headers":{"operation":"update"}}}',
            b'{"headers":{"operation":"insert"},"type":"t","key":"k","value":{"headers":{"operation":"update"}}}',
        ),
        (
            b'{"type":"t","key":"k","value":"\\"headers\\":{\\"operation\\":","headers":{"operation":"insert"}}',
            b'{"type":"t","key":"k","value":"\\"headers\\":{\\"operation\\":","headers":{"operation":"insert"}}',
        ),
        (
            b'{"type":"t","key":"k","value":[],"headers":{"operation":"update","txid":"}}"}}',
            b'{"type":"t","key":"k","value":[],"headers":{"operation":"insert","txid":"}}"}}',
        ),
        (
            b'{"type":"t","key":"k","value":1,"value":2,"headers":{"operation":"update","more":{"a":[]}}}',
            b'{"type":"t","key":"k","value":2,"headers":{"operation":"insert","more":{"a":[]}}}',
        ),
    ],
)
def test_an_insert_is_made_without_re_writing_values(given: bytes, expected: bytes) -> None:
    assert as_insert(given) == expected


def test_the_newest_txid_and_timestamp_are_kept() -> None:
    first = state.insert("run", "r", {"n": 1}, timestamp="2026-01-01T00:00:00.000Z")
    second = state.update("run", "r", {"n": 2}, timestamp=AT, txid="s1")
    [row] = fold([first, second], 0).rows
    assert row == LiveRow("run", "r", 0, state.insert("run", "r", {"n": 2}, timestamp=AT, txid="s1"))


def test_what_is_no_state_message_cannot_be_folded() -> None:
    for broken in (b"1", b"{}", b'{"type":"t","key":"k","headers":{"operation":"insert"}}'):
        with pytest.raises(BadRequest):
            fold([broken], 0)


def test_which_streams_hold_rows() -> None:
    rows = ["runs/r1", "inbox/group:a", "workflows/expense"]
    none = ["runs/r1/journal", "runs/r1/out/tokens", "runs", "notes", "runs2/r1"]
    assert [path for path in rows + none if compaction.managed(path)] == rows
    assert compaction.compacted(Head.of("inbox/a", "i", 1, 0, "application/json", engine=True))
    assert not compaction.compacted(Head.of("notes", "i", 1, 0, "application/json"))
    assert compaction.compacted(Head.of("notes", "i", 1, 0, "application/json", compacted=True))


def test_when_to_fold() -> None:
    moments = [n for n in range(0, 2000, 5) if compaction.due("inbox/a", n, n + 5)]
    assert len(moments) == 2000 // 256
    assert not any(compaction.due("runs/a", n, n + 5) for n in range(0, 60_000, 5))
    run = Head.of("runs/a", "i", 1, 1023, "application/json", engine=True)
    assert not compaction.lagging(run)
    assert compaction.lagging(Head.of("runs/a", "i", 1, 1024, "application/json", engine=True))
    assert not compaction.lagging(Head.of("inbox/a", "i", 1, 900, "application/json", engine=True, rows_at=400))
    assert compaction.lagging(Head.of("inbox/a", "i", 1, 912, "application/json", engine=True, rows_at=400))


def test_history_goes_in_pieces_and_far_behind() -> None:
    def head(base: int, refs: int = 0) -> Head:
        return Head.of("inbox/a", "i", 1, 50_000, "application/json", engine=True, base=base, refs=refs)

    assert compaction.next_base(head(0), 11_999) is None
    assert compaction.next_base(head(0), 12_000) == 2_000
    assert compaction.next_base(head(2_000), 50_000) == 4_000
    assert compaction.next_base(head(2_000, refs=1), 50_000) is None


def test_what_may_be_appended() -> None:
    wanted = Head.of("notes", "i", 1, 0, "application/json", compacted=True)
    good = state.insert("t", "k", {"big": 12345678901234567890123}, timestamp=AT)
    compaction.check(wanted, Payload("application/json", *json_mode.parse(b"[" + good + b"," + good + b"]")))
    compaction.check(wanted, Payload("application/json", b"", 0))
    with pytest.raises(BadRequest, match="`headers`"):
        compaction.check(wanted, Payload("application/json", b'{"n":1}', 1))
    with pytest.raises(BadRequest, match="application/json"):
        compaction.check(Head.of("notes", "i", 1, 0, "text/plain", compacted=True), Payload("text/plain", b"", 0))
    assert compaction.parse_option(" State ")
    with pytest.raises(BadRequest, match="Stream-Compaction"):
        compaction.parse_option("log")

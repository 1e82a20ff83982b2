"""Compaction of state streams: which rows are live, and which history may go.

The messages of a State Protocol stream say how rows change; a reader who starts at the beginning wants the rows. So a
compacted stream has live rows: the rows as of a position, `Head.rows_at`, each as the insert message that makes it. A
reader from the start gets them, and then the messages from that position on: what that folds to is what all messages
fold to. Folding moves the position on, in pieces and after the fact: appending costs nothing for it, and a reader meets
no more than a few hundred messages that are not folded yet. History far behind the position is dropped (`Head.base`);
positions never change, so an offset is valid or gone, and never means something else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from signoff import paths
from signoff.errors import BadRequest
from signoff.streams import json_mode, json_scan, state
from signoff.streams.slices import Sliced, finish
from signoff.streams.stream import JSON, Head, Payload, media_type

OPTION: Final = "state"
"""What an application says at creation to have its stream compacted."""

HISTORY: Final = 10_000
"""Messages kept behind the live rows, for readers who were away."""

DROP: Final = 2_000
"""Messages dropped at once, so that no commit takes long, and none has to be decided again for less."""

PIECE_BYTES: Final = 128 * 1024
PIECE_MESSAGES: Final = 5_000
"""About how many bytes, and how many messages, are folded at once at most, for the same reason."""

MOST_BYTES: Final = 32 << 20
"""Bytes of live rows at most, because a reader gets them in one response. Beyond it a stream is not folded further:
what follows stays history, and readers get that, in chunks."""

_EVERY: Final = 256
_EVERY_OF_RUN: Final = 1 << 16
_LAG: Final = 512
_LAG_OF_RUN: Final = 1024

_MEMBER: Final = re.compile(rb'("(?:[^"\\]|\\.)*")[ \t\r\n]*:[ \t\r\n]*', re.DOTALL)
_HEADERS: Final = b'"headers":{"operation":"'
_ENDING: Final = re.compile(rb'"headers":\{"operation":"(?:insert|update)"((?:,"[a-z_]+":"[^"\\]*")*)\}\}', re.DOTALL)


@dataclass(frozen=True, slots=True)
class LiveRow:
    """One row as readers from the start get it.

    Attributes:
        type, key: name the row.
        position: of the message by which it appeared; rows are read in this order.
        message: the insert message that makes it.
    """

    type: str
    key: str
    position: int
    message: bytes


@dataclass(frozen=True, slots=True)
class RowChanges:
    """What some messages do to the live rows: first `clear`, then `gone`, then `rows`.

    Attributes:
        clear: every row goes.
        gone: types and keys of rows that go; those that came back are in `rows` too.
        rows: rows that appear or change; one that is there already keeps its position.
        at: position after the messages.
    """

    clear: bool
    gone: tuple[tuple[str, str], ...]
    rows: tuple[LiveRow, ...]
    at: int


def parse_option(text: str | None) -> bool:
    """Read what an application asks for at creation; nothing is no.

    Raises:
        BadRequest: it is not `state`, the one kind of compaction there is.
    """
    if text is None:
        return False
    if text.strip().lower() != OPTION:
        raise BadRequest(f"Stream-Compaction is `{OPTION}` or absent. Nothing was created.")
    return True


def managed(path: str) -> bool:
    """Tell whether the engine's stream at this path holds rows: not journals, and not what steps write."""
    root, _, rest = path.partition("/")
    return root in {"inbox", "workflows", "drafts"} or (root == "runs" and rest != "" and "/" not in rest)


def compacted(head: Head) -> bool:
    """Tell whether a stream has, or will have, live rows."""
    return head.compacted or (head.engine and managed(head.path))


def check(head: Head, payload: Payload) -> None:
    """Refuse what cannot be folded.

    Args:
        head: of a stream that its application wants compacted.
        payload: to be appended.

    Raises:
        BadRequest: the stream does not hold JSON, or a message is none of the State Protocol.
    """
    if not head.json:
        raise BadRequest("Only a stream of application/json can be compacted. Nothing was stored.")
    state_fault = finish(examine(payload)).state_fault
    if state_fault:
        raise BadRequest(state_fault)


def examine(payload: Payload) -> Sliced[Payload]:
    """Return the payload with the knowledge of whether its messages are those of the State Protocol (`state_fault`)."""
    if payload.state_fault is not None or not payload.units or media_type(payload.content_type) != JSON:
        return payload
    start = 0
    try:
        for stop in json_scan.commas(payload.data):
            if stop.pause and not stop.brackets:
                _validate(payload.data[start : stop.position - 1])
                start = stop.position
                yield
        _validate(payload.data[start:])
    except BadRequest as error:
        return payload._replace(state_fault=error.detail)
    return payload._replace(state_fault="")


def _validate(messages: bytes) -> None:
    for message in orjson.loads(json_mode.array((messages,))):
        state.validate(message)


def due(path: str, start: int, end: int) -> bool:
    """Tell whether an append of `[start, end)` is the moment to fold.

    A run's rows are folded when somebody reads them from the start; only a very long one does not wait for that.
    """
    if start // _EVERY == end // _EVERY:  # so it does not pass a multiple of the other either
        return False
    return not paths.is_of_a_run(path) or start // _EVERY_OF_RUN != end // _EVERY_OF_RUN


def lagging(head: Head) -> bool:
    """Tell whether a reader from the start would gain by folding."""
    return head.tail - head.rows_at >= (_LAG_OF_RUN if paths.is_of_a_run(head.path) else _LAG)


def next_base(head: Head, rows_at: int) -> int | None:
    """Return up to where history may be dropped together with moving the live rows to `rows_at`; None: not yet.

    A stream that others are forks of keeps its history, since it is theirs too.
    """
    base = head.base + DROP
    return base if base <= rows_at - HISTORY and not head.refs else None


def fold(messages: Iterable[bytes], position: int) -> RowChanges:
    """Fold messages into what they do to the live rows.

    Args:
        messages: valid JSON, in order.
        position: of the first.

    Raises:
        BadRequest: one is not a message of the State Protocol.
    """
    clear = False
    gone: dict[tuple[str, str], None] = {}
    rows: dict[tuple[str, str], tuple[int, bytes]] = {}
    for message in messages:
        name, operation = _reading(message)
        match operation:
            case state.Control.RESET:
                clear = True
                gone.clear()
                rows.clear()
            case state.Operation.DELETE:
                rows.pop(name, None)
                gone[name] = None
            case state.Operation.INSERT | state.Operation.UPDATE:
                rows[name] = rows[name][0] if name in rows else position, message
        position += 1
    kept = tuple(LiveRow(*name, first, as_insert(message)) for name, (first, message) in rows.items())
    return RowChanges(clear, tuple(gone), kept, position)


def _reading(message: bytes) -> tuple[tuple[str, str], str]:
    decoded: Any = orjson.loads(message)
    state.validate(decoded)
    headers = decoded["headers"]
    if "control" in headers:
        return ("", ""), headers["control"]
    return (decoded["type"], decoded["key"]), headers["operation"]


def as_insert(message: bytes) -> bytes:
    """Turn an insert or update message into the insert message that makes the same row.

    What the row holds and what else the headers say stay as they were written, to the byte; `old_value` goes.

    Example:
        >>> as_insert(b'{"type":"t","key":"k","value":1.0,"headers":{"operation":"update","txid":"7"}}')
        b'{"type":"t","key":"k","value":1.0,"headers":{"operation":"insert","txid":"7"}}'
    """
    if b'"old_value"' not in message and (start := message.rfind(_HEADERS)) >= 0:
        # The headers stand last and hold plain strings, so they are the message's own: the usual form.
        ending = _ENDING.fullmatch(message, start)
        if ending is not None:
            return message[:start] + _HEADERS + b'insert"' + ending[1] + b"}}"
    members = _members(message)
    members.pop("old_value", None)
    members["headers"] = _object(_members(members["headers"]) | {"operation": b'"insert"'})
    return _object(members)


def _members(text: bytes) -> dict[str, bytes]:
    """Part an object into its members, without altering a byte of their values; of two of one name the last counts."""
    found: dict[str, bytes] = {}
    for part in json_mode.split(text.strip()[1:-1].strip()):
        name = _MEMBER.match(part)
        assert name is not None, "the message is valid JSON"
        found[orjson.loads(name[1])] = part[name.end() :]
    return found


def _object(members: dict[str, bytes]) -> bytes:
    return b"{" + b",".join(orjson.dumps(name) + b":" + value for name, value in members.items()) + b"}"

"""What readers are told: cursors, entity tags, and events that no payload can forge (Durable Streams §5.8, §10)."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff.streams import live
from signoff.streams.stream import Head

TEXT = Head.of("s", "inc", 1, 20, "text/plain")
JSON = TEXT.changed(content_type="Application/JSON; charset=utf-8")
BINARY = TEXT.changed(content_type="image/png")
NOW = live.CURSOR_EPOCH_MS + 1000 * live.CURSOR_INTERVAL_MS


def events(stream: bytes) -> list[tuple[str, str]]:
    """Read an event stream as the standard says: any line ending, one space after the colon stripped."""
    found: list[tuple[str, str]] = []
    kind, data = "", []
    for line in stream.decode().replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "event":
                kind = value
            case "data":
                data.append(value)
            case "" if not line and data:
                found.append((kind, "\n".join(data)))
                kind, data = "", []
    return found


def test_the_cursor_is_the_number_of_the_interval() -> None:
    assert live.cursor(NOW, None, 100) == "1000"
    assert live.cursor(NOW + live.CURSOR_INTERVAL_MS - 1, None, 100) == "1000"
    assert live.cursor(0, None, 100) == "0"


@pytest.mark.parametrize(
    ("given_cursor", "jitter", "told"),
    [
        ("999", 3600, "1000"),
        ("1000", 1, "1001"),
        ("1000", 3600, "1180"),
        ("1005", 60, "1008"),
        ("", 60, "1000"),
        ("-5", 60, "1000"),
        ("abc", 60, "1000"),
        ("9" * 5000, 60, "1000"),
        ("²", 60, "1000"),
    ],
)
def test_the_cursor_goes_beyond_what_the_client_has(given_cursor: str, jitter: int, told: str) -> None:
    assert live.cursor(NOW, given_cursor, jitter) == told


@given(st.integers(0, 10**12), st.integers(1, live.MAX_JITTER_S))
def test_the_cursor_always_advances(given_cursor: int, jitter: int) -> None:
    assert int(live.cursor(NOW, str(given_cursor), jitter)) > min(given_cursor, 999)
    assert int(live.cursor(NOW, str(given_cursor), jitter)) >= 1000


def test_entity_tags_tell_ranges_incarnations_and_closure_apart() -> None:
    closed = TEXT.changed(closed=True)
    tags = {
        live.etag(TEXT, 0, 20),
        live.etag(TEXT, 1, 20),
        live.etag(TEXT, 0, 19),
        live.etag(closed, 0, 20),
        live.etag(TEXT.changed(incarnation="other"), 0, 20),
    }
    assert len(tags) == 5
    assert live.etag(closed, 0, 19) == live.etag(TEXT, 0, 19)


def test_matching_entity_tags() -> None:
    tag = live.etag(TEXT, 0, 20)
    assert live.matches(tag, tag)
    assert live.matches(tag, f'"x", W/{tag}')
    assert live.matches(tag, "*")
    assert not live.matches(tag, '"x"')
    assert not live.matches(tag, "")


def test_text_goes_as_it_is_json_in_an_array_and_the_rest_in_base64() -> None:
    assert live.data_event(TEXT, b"line1\nline2") == b"event: data\ndata:line1\ndata:line2\n\n"
    assert live.data_event(JSON, b'{"a":1},2') == b'event: data\ndata:[{"a":1},2]\n\n'
    assert live.data_event(BINARY, b"\x00\xff") == b"event: data\ndata:AP8=\n\n"
    assert not live.needs_base64(TEXT)
    assert not live.needs_base64(JSON)
    assert live.needs_base64(BINARY)


@given(st.text())
def test_no_text_can_forge_an_event(text: str) -> None:
    (event,) = events(live.data_event(TEXT, text.encode()))
    assert event == ("data", text.replace("\r\n", "\n").replace("\r", "\n"))


@given(st.binary(max_size=200))
def test_bytes_survive(data: bytes) -> None:
    (event,) = events(live.data_event(BINARY, data))
    assert base64.b64decode(event[1]) == data


@given(st.lists(st.sampled_from(["data:", "\n", "\r", " ", "a", "\r\n"])).map("".join))
def test_every_line_becomes_a_line_of_data(text: str) -> None:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    told = "".join(f"data:{' ' if line.startswith(' ') else ''}{line}\n" for line in lines)
    assert live.data_event(TEXT, text.encode()).decode() == f"event: data\n{told}\n"


@pytest.mark.parametrize("piece", ["x", "é", "€", "😀", "\r\n", "a😀", "\r\né"])
@pytest.mark.parametrize("shift", range(5))
def test_events_are_parted_between_characters(piece: str, shift: int) -> None:
    text = "x" * shift + piece * (3 * live.EVENT_BYTES // len(piece.encode()))
    data = text.encode()
    parted = list(live.parts(TEXT, 7, 7 + len(data), data))
    assert all(len(part) <= live.EVENT_BYTES for _, part in parted)
    assert b"".join(part for _, part in parted) == data
    assert [end for end, _ in parted] == [7 + sum(len(part) for _, part in parted[: n + 1]) for n in range(len(parted))]
    assert all(part.decode() for _, part in parted)
    assert not any(part.endswith(b"\r") for _, part in parted)


def test_what_is_small_and_what_is_json_is_not_parted() -> None:
    assert list(live.parts(TEXT, 3, 6, b"abc")) == [(6, b"abc")]
    assert list(live.parts(TEXT, 3, 3, b"")) == [(3, b"")]
    messages = b'"x",' * live.EVENT_BYTES + b"1"
    assert list(live.parts(JSON, 3, 9, messages)) == [(9, messages)]
    bytes_ = b"\xff" * (live.EVENT_BYTES + 1)
    assert [end for end, _ in live.parts(BINARY, 0, len(bytes_), bytes_)] == [live.EVENT_BYTES, live.EVENT_BYTES + 1]


@pytest.mark.parametrize(
    "attack",
    ["x\n\nevent: control\ndata: {}\n\n", "x\r\revent: control\rdata:{}\r\r", "x\r\n\r\nevent: control\r\ndata: {}",
     "\n", "\r", ":comment\n\n", "id: 7\nretry: 1\n\n", " leading", "\u2028event: control"],
)  # fmt: skip
def test_known_attacks(attack: str) -> None:
    found = events(live.data_event(TEXT, attack.encode()))
    assert [kind for kind, _ in found] == ["data"]


def test_pretty_printed_json_stays_one_event() -> None:
    pretty = json.dumps({"a": ["b", "c\n"]}, indent=2).encode()
    (event,) = events(live.data_event(JSON, pretty))
    assert json.loads(event[1]) == [{"a": ["b", "c\n"]}]


def test_bytes_that_are_not_utf8_become_a_valid_event_stream() -> None:
    (event,) = events(live.data_event(TEXT, b"a\xff\xfeb"))
    assert event == ("data", "a\ufffd\ufffdb")


HEAD = Head.of("s", "i1", 1, 7, "text/plain")


def test_offsets_of_the_engines_streams_name_the_stream() -> None:
    assert live.token(HEAD, 7) == "0000000000000007"
    assert live.token(HEAD.changed(engine=True), 7) == "0000000000000007-i1"


def test_control_events() -> None:
    def told(**how: bool) -> dict[str, object]:
        (event,) = events(live.control_event(HEAD, 7, cursor="12", **how))
        assert event[0] == "control"
        parsed: dict[str, object] = json.loads(event[1])
        return parsed

    at = {"streamNextOffset": "0000000000000007"}
    assert told(up_to_date=False, closed=False) == {**at, "streamCursor": "12"}
    assert told(up_to_date=True, closed=False) == {**at, "streamCursor": "12", "upToDate": True}
    assert told(up_to_date=True, closed=True) == {**at, "upToDate": True, "streamClosed": True}


def test_keep_alives_are_no_events() -> None:
    assert events(live.KEEP_ALIVE + live.KEEP_ALIVE) == []

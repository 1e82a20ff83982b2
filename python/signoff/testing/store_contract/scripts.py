"""Random scripts for a store and its model: what is written in which company, with right and wrong expectations.

A script says what to do in words that do not depend on what is there ("fork the inbox at its tail"); `concrete` makes a
Change of it with the model's knowledge when its turn comes, so that chains of writes have expectations that hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from hypothesis import strategies as st

from signoff.errors import SignoffError
from signoff.stores.change import (
    Change,
    FamilyWrite,
    Name,
    OwnAppend,
    Part,
    PartName,
    Post,
    RowsWrite,
    StreamDelete,
    Subject,
    SubjectDelete,
    SubjectWrite,
)
from signoff.streams import fork
from signoff.streams.compaction import LiveRow, RowChanges
from signoff.streams.stream import JSON, Branch, Create, Head, Lookup, Payload, ProducerMark, Remove, Write
from signoff.testing.store_contract.model import UNKNOWN, Model

NAMES: Final = (Name("run", "a"), Name("run", "b"), Name("hook", "a"))
QUEUES: Final = ("q", "p")
APPLICATION: Final = ("c", "d", "f", "g")
SHARED: Final = ("inbox/x", "inbox/y")
OWN: Final = tuple(f"own/{name.kind}/{name.id}/{stream}" for name in NAMES for stream in "12")
PATHS: Final = APPLICATION + SHARED + OWN


@dataclass(frozen=True)
class Put:
    """The writing of a subject."""

    name: Name
    wrong: int
    epoch: int | None
    release: bool
    members: dict[str, Any]
    parts: tuple[Part, ...]
    dropped: tuple[PartName, ...]
    appends: tuple[tuple[str, int, bool], ...]
    posts: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Drop:
    """The deletion of a subject, with a post."""

    name: Name
    wrong: int


@dataclass(frozen=True)
class Grow:
    """An append to an application's stream, which is created when absent."""

    path: str
    wrong: int
    count: int
    producer: bool
    ttl_s: int | None


@dataclass(frozen=True)
class Branching:
    """The making of a fork."""

    source: str
    path: str
    wrong: int
    back: int


@dataclass(frozen=True)
class Erase:
    """The deletion of an application's stream, as the rules on forks say."""

    path: str
    wrong: int


@dataclass(frozen=True)
class Compact:
    """A move of a stream's live rows."""

    path: str
    wrong: int
    back: int
    drop: bool
    clear: bool


@dataclass(frozen=True)
class Spoil:
    """An attempt to write what cannot be stored."""

    name: Name


Move = Put | Drop | Grow | Branching | Erase | Compact | Spoil


@dataclass(frozen=True)
class Lease:
    """A lease that is claimed, renewed (with a subject that goes along) or released."""

    what: str
    owner: str
    now: int
    along: Name


Script = list[list[Move] | Lease]

_names = st.sampled_from(NAMES)
_wrong = st.sampled_from([0, 0, 0, 0, 0, 1, -1])
_small = st.integers(0, 3)
_terms = st.sampled_from([(), ("x",), ("x", "y"), ("y", "x", "y")])
_key = st.sampled_from("zab")
_kind = st.sampled_from(["ask", "vote"])


def _few(elements: st.SearchStrategy[Any], most: int = 2) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(elements, max_size=most).map(tuple)


_members = st.fixed_dictionaries(
    {
        "state": st.binary(max_size=2),
        "terms": _terms,
        "sort": _small,
        "queue": st.sampled_from([None, *QUEUES]),
        "ready": st.booleans(),
        "wake_at": st.none() | _small,
        "quiet": st.booleans(),
        "updated_at": _small,
    }
)
_parts = st.builds(Part, _kind, _key, st.binary(max_size=2), st.booleans(), _terms, _small)
_appends = st.tuples(st.sampled_from("12"), st.integers(0, 2), st.sampled_from([False] * 9 + [True]))
_posts = st.tuples(st.sampled_from(SHARED), st.integers(1, 2))
_application = st.sampled_from(APPLICATION)
_puts = st.builds(
    Put,
    _names,
    _wrong,
    st.none() | st.none() | st.sampled_from([0, 0, 1]),
    st.booleans(),
    _members,
    _few(_parts),
    _few(st.builds(PartName, _kind, _key), 1),
    _few(_appends),
    _few(_posts),
)
_moves = st.one_of(
    _puts,
    _puts,
    _puts,
    st.builds(Drop, _names, _wrong),
    st.builds(Grow, _application, _wrong, st.integers(0, 2), st.booleans(), st.none() | _small),
    st.builds(Grow, _application, _wrong, st.integers(0, 2), st.booleans(), st.none() | _small),
    st.builds(Branching, st.sampled_from(PATHS), _application, _wrong, st.integers(0, 1)),
    st.builds(Erase, _application, _wrong),
    st.builds(Compact, st.sampled_from(PATHS), _wrong, st.integers(0, 1), st.booleans(), st.booleans()),
    st.builds(Spoil, _names),
)
_leases = st.builds(
    Lease, st.sampled_from(["claim", "claim", "renew", "release"]), st.sampled_from("vw"), st.integers(0, 9), _names
)
scripts: Final[st.SearchStrategy[Script]] = st.lists(st.lists(_moves, max_size=6) | _leases, max_size=10)


def concrete(move: Move, model: Model, number: int, placed: Mapping[str, int]) -> Change | None:
    """Make a Change of a move, given what is there; None: there is nothing to write to.

    Args:
        number: of the Change; it is its mark, and every version it writes.
        placed: how far the shared streams had grown before the moves that are written together with this one. Who
            compacts one has read it, and a store may place later what is posted to it meanwhile.
    """
    change: Change | None
    match move:
        case Put():
            change = _put(move, model, number)
        case Drop(name, wrong):
            post = Post(SHARED[0], b'"%s:%d"' % (_sender(name), number), 1)
            change = Change(SubjectDelete(name, _version(model, name) + wrong), (post,))
        case Grow():
            change = _grow(move, model, number)
        case Branching():
            change = _branch(move, model, number)
        case Erase():
            change = _erase(move, model, number)
        case Compact():
            change = _compact(move, model, placed)
        case Spoil(name):
            bad = Subject(name, number, b"", terms=("x" * 513,))
            change = Change(SubjectWrite(bad, _version(model, name)))
    return None if change is None else change._replace(mark=number)


def _version(model: Model, name: Name) -> int:
    record = model.subject(name)
    return record.version if record else 0


def _sender(name: Name) -> bytes:
    return f"{name.kind}-{name.id}".encode()


def _data(sender: bytes, number: int, count: int) -> bytes:
    return b",".join(b'"%s:%d:%d"' % (sender, number, each) for each in range(count))


def _put(move: Put, model: Model, number: int) -> Change:
    name = move.name
    record = model.subject(name)
    epoch = None if move.epoch is None else (record.epoch if record else 0) + move.epoch
    appends = tuple(
        OwnAppend(f"own/{name.kind}/{name.id}/{stream}", _data(b"own", number, count), count, close)
        for stream, count, close in move.appends
    )
    posts = tuple(Post(path, _data(_sender(name), number, count), count) for path, count in move.posts)
    subject = Subject(name, number, **move.members)
    expect = _version(model, name) + move.wrong
    write = SubjectWrite(subject, expect, move.parts, move.dropped, appends, epoch, move.release)
    return Change(write, posts)


def _grow(move: Grow, model: Model, number: int) -> Change | None:
    before = _head(model, move.path)
    producer = ProducerMark("p", 0, number) if move.producer else None
    data = _data(b"app", number, move.count)
    if before is None:
        made = Head.of(move.path, f"i{number}", number, move.count, JSON, ttl_s=move.ttl_s)
        return Change(FamilyWrite((Write(made, move.wrong, 0, data, producer),)))
    if before.deleted:
        return None
    after = before.changed(version=number, tail=before.tail + move.count, touched_at=number)
    return Change(FamilyWrite((Write(after, before.version + move.wrong, before.tail, data, producer),)))


def _branch(move: Branching, model: Model, number: int) -> Change | None:
    source = _head(model, move.source)
    if source is None or model.stream(move.path) is not None:
        return None
    create = Create(move.path, f"i{number}", Payload(JSON, b"", 0), number)
    try:
        made = fork.begin(Branch(move.source, max(0, source.tail - move.back)), create, source, number, number)
    except SignoffError:
        return None
    return _family(made, move.wrong)


def _erase(move: Erase, model: Model, number: int) -> Change | None:
    before = _head(model, move.path)
    if before is None or before.deleted:
        return None
    sources: dict[str, Head | None] = {}
    while isinstance(decision := fork.release(before, sources, number), Lookup):
        sources[decision.path] = _head(model, decision.path)
    return _family(decision, move.wrong)


def _family(decision: Write | Remove, wrong: int) -> Change:
    """Make a Change of a decision and of what it decides beside; the last of them may be on a wrong version."""
    writes: list[Write | StreamDelete] = [
        StreamDelete(each.head.path, each.head.version) if isinstance(each, Remove) else each
        for each in (decision, *decision.also)
    ]
    last = writes[-1]
    if isinstance(last, StreamDelete):
        writes[-1] = StreamDelete(last.path, last.expect + wrong)
    else:
        writes[-1] = last._replace(expect=last.expect + wrong)
    return Change(FamilyWrite(tuple(writes)))


def _compact(move: Compact, model: Model, placed: Mapping[str, int]) -> Change | None:
    before = _head(model, move.path)
    if before is None or (move.path in SHARED and move.path not in placed):
        return None
    at = max(placed.get(move.path, before.tail) - move.back, before.rows_at)  # rows never go back
    rows = (LiveRow("t", f"k{at % 2}", at, b"row at %d" % at),)
    changes = RowChanges(move.clear, (("t", f"k{(at + 1) % 2}"),), rows, at)
    base = at if move.drop and before.fork is None and at >= before.base else None
    expect = before.rows_at + move.wrong
    return Change(RowsWrite(move.path, before.incarnation or "none", expect, changes, base, before.refs))


def _head(model: Model, path: str) -> Head | None:
    """Return a head to decide on; one whose version nobody knows yet is given one that is surely wrong."""
    head = model.stream(path)
    return head.changed(version=-9) if head is not None and head.version == UNKNOWN else head

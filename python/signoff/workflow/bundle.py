"""Evidence bundles: the journal of a run, what people decided in it, and a signature, in one file that proves itself.

A bundle is JSON, written line by line, so that whatever is altered in it is found and named: a head, a line for each
entry with its hash, a line for each decision, each denial and each revocation, and an end that signs all lines before
it. It has to be as it was written to the byte; what is not is refused.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any, Final, Never

import orjson

from signoff.errors import WorkflowError
from signoff.frozen import frozen
from signoff.workflow import chain, journal
from signoff.workflow.entry import Entry
from signoff.workflow.run.cut import effective
from signoff.workflow.run.entries import ForkedFrom, RunStarted
from signoff.workflow.summary import Line, Summary, summary_of

FORMAT: Final = "signoff-evidence-1"
_HEAD: Final = ["format", "hash", "run_id", "forked_from", "signoff", "exported_at", "length", "head", "key"]
_REVOCATION: Final = ["id", "submission_id", "by", "at", "reason", "via"]
_ENTRY: Final = b'{"hash":%b,"entry":%b}'
_ENTRIES: Final = b',"entries":['
_DECISIONS: Final = b'],"decisions":['
_DENIALS: Final = b'],"denials":['
_REVOCATIONS: Final = b'],"revocations":['

Verify = Callable[[Mapping[str, Any], bytes, bytes], bool]
"""Tell whether a signature by the key (a JWK) is good: key, signature, what was signed."""


class AlteredBundle(WorkflowError):
    """A bundle is not as it was written; the message names the first place, and `entry` of `extra` the entry there."""


@frozen
class StoredJournal:
    """A journal as it is stored, read.

    Attributes:
        raw: its entries, each without its hash.
        hashes: their hashes; None: an earlier release wrote it.
        summary: what they come to.
    """

    raw: list[bytes]
    hashes: list[str | None]
    summary: Summary


@frozen
class Proven:
    """What a bundle that is as it was written proves.

    Attributes:
        run_id: of which run.
        entries: their number.
        hashed_from: the position of the first entry that has a hash; before it an earlier release wrote.
        decisions: the number of decisions, votes and submissions.
        denials: the number of refusals.
        revocations: the number of remembered approvals that were revoked by then.
        forked_from: the run that the first entries are copied from; None: it began by itself.
        key: the id of the key that signed it.
    """

    run_id: str
    entries: int
    hashed_from: int
    decisions: int
    denials: int
    revocations: int
    forked_from: ForkedFrom | None
    key: str


def read(stored: Sequence[bytes]) -> StoredJournal:
    """Read a journal's messages, each with its hash if it has one.

    Raises:
        WorkflowError: they are none of this release.
    """
    messages = [orjson.loads(one) for one in stored]
    hashes = [message.pop("chain", None) for message in messages]
    raw = [orjson.dumps(message) for message in messages]
    return StoredJournal(raw, hashes, summary_of([journal.from_json(message) for message in messages]))


def lines_to_sign(
    run_id: str,
    found: StoredJournal,
    *,
    head: str | None,
    key: Mapping[str, str],
    version: str,
    at: int,
    revocations: Sequence[Line] = (),
) -> bytes:
    """Write all of a bundle but its last line, which is the signature.

    Args:
        run_id: of which run.
        found: its journal.
        head: the hash that the record of the run has of the last entry.
        key: the JWK that will verify it.
        version: of the package.
        at: milliseconds, of the export.
        revocations: of approvals that were remembered; they are no entries, since they may come after the run's end.
    """
    told = found.summary
    about: Line = {"format": FORMAT, "hash": "sha-256", "run_id": run_id, "forked_from": _fork(told)}
    about |= {"signoff": version, "exported_at": at, "length": len(found.raw), "head": head, "key": dict(key)}
    lines = [orjson.dumps(about)[:-1] + _ENTRIES]
    pairs = zip(found.hashes, found.raw, strict=True)
    lines += _listed([_ENTRY % (orjson.dumps(has), entry) for has, entry in pairs])
    for name, listed in ((_DECISIONS, told.decisions), (_DENIALS, told.denials), (_REVOCATIONS, revocations)):
        lines += [name, *_listed([orjson.dumps(one) for one in listed])]
    return b"\n".join(lines) + b"\n"


def to_sign(lines: bytes) -> bytes:
    """Return what is signed of the lines before the signature."""
    return f"{FORMAT}\n{sha256(lines).hexdigest()}\n".encode()


def signed(lines: bytes, signature: bytes) -> bytes:
    """Return the whole bundle."""
    return lines + b'],"signature":"%b"}\n' % base64.b64encode(signature)


def revocation(id_: str, submission_id: str, said: Mapping[str, Any]) -> Line:
    """Return the line of a remembered approval that was revoked.

    Args:
        id_: of the request.
        submission_id: of the answer that gave it.
        said: `by`, `at`, `reason` and `via`, as far as they are known.
    """
    return {"id": id_, "submission_id": submission_id, **{name: said.get(name) for name in _REVOCATION[2:]}}


def verify(
    data: bytes, good: Verify, keys: Sequence[Mapping[str, Any]] | None = None, *, parent: bytes | None = None
) -> Proven:
    """Check a bundle, to the byte.

    Args:
        data: the file.
        good: checks a signature.
        keys: the keys (JWK) that may have signed it; None: the one in the bundle, which proves only that nothing was
            altered since somebody signed it.
        parent: of a fork, the bundle of the run it was forked from: whether what it has copied is that run's.

    Raises:
        AlteredBundle: it is not as it was written; it names the first altered entry.
    """
    proven, hashed = _verified(data, good, keys)
    if parent is not None:
        try:
            other, theirs = _verified(parent, good, keys)
        except AlteredBundle as error:
            raise AlteredBundle(f"The bundle of the run that it was forked from: {error.detail}") from error
        _check_fork([entry for _, entry in hashed], proven.forked_from, other.run_id, theirs)
    return proven


_Hashed = list[tuple[str | None, Entry]]


def _verified(data: bytes, good: Verify, keys: Sequence[Mapping[str, Any]] | None) -> tuple[Proven, _Hashed]:
    lines = data.split(b"\n")
    about = _head(lines[0])
    entries = _entries(lines, about)
    told = _summary(entries)
    if about["forked_from"] != _fork(told):
        _altered("The head is altered: it names another run that this one is a fork of than entry 0.")
    n = _compared(lines, len(entries) + 1, (_DECISIONS, "decision", told.decisions), len(entries) - 1)
    n = _compared(lines, n, (_DENIALS, "denial", told.denials), len(entries) - 1)
    begin, n = n + 1, _revocations(lines, n, told)
    _signature(lines, n, about, good, keys)
    hashed_from = next((at for at, (has, _) in enumerate(entries) if has is not None), len(entries))
    counts = len(told.decisions), len(told.denials), n - begin
    return Proven(about["run_id"], len(entries), hashed_from, *counts, told.forked_from, about["key"]["kid"]), entries


def _head(line: bytes) -> dict[str, Any]:
    about = _object(line.removesuffix(_ENTRIES) + b"}", "The head")
    if list(about) != _HEAD or about["format"] != FORMAT or about["hash"] != "sha-256":
        _altered("The head is altered, or this is no evidence bundle of the format " + FORMAT + ".")
    if not isinstance(about["length"], int) or not isinstance(about["key"], dict) or "kid" not in about["key"]:
        _altered("The head is altered.")
    if orjson.dumps(about)[:-1] + _ENTRIES != line:
        _altered("The head is altered.")
    return about


def _entries(lines: Sequence[bytes], about: Mapping[str, Any]) -> _Hashed:
    """Check the entries; return them with their hashes."""
    found: _Hashed = []
    before: str | None = None
    length = about["length"]
    for n in range(length):
        what = f"Entry {n}"
        if n + 1 >= len(lines):
            _altered(f"{what} is missing, and all that follow it.", n)
        line = lines[n + 1]
        if n < length - 1:
            if not line.endswith(b","):
                _altered(f"{what} is altered.", n)
            line = line[:-1]
        one = _object(line, what, n)
        if list(one) != ["hash", "entry"] or not isinstance(one["entry"], dict):
            _altered(f"{what} is altered.", n)
        raw, has = orjson.dumps(one["entry"]), one["hash"]
        if _ENTRY % (orjson.dumps(has), raw) != line or (has is None and before is not None):
            _altered(f"{what} is altered.", n)
        if has is not None:
            before = chain.link(before or chain.start(str(about["run_id"]), n), raw)
            if has != before:
                _altered(f"{what} is altered: its hash does not follow from it and the one before.", n)
        found.append((has, _read(one["entry"], what, n)))
    if about["head"] != before:
        _altered(f"The head is altered, or entries are missing behind entry {length - 1}.")
    return found


def _summary(entries: _Hashed) -> Summary:
    try:
        return summary_of([entry for _, entry in entries])
    except (WorkflowError, AssertionError, LookupError, TypeError, ValueError) as error:
        raise AlteredBundle(f"The entries do not follow from one another: {error}") from error


def _compared(lines: Sequence[bytes], n: int, part: tuple[bytes, str, list[Line]], last: int) -> int:
    """Check that a part of the summary is what the entries come to; return the number of the line behind it.

    Args:
        lines: of the bundle.
        n: the line it begins with.
        part: that line, what is listed, and what the entries come to.
        last: the position of the last entry.
    """
    begin, what, expected = part
    if lines[n : n + 1] != [begin]:
        _altered(f"What follows entry {last} is altered.")
    for one, line in zip(expected, _listed([orjson.dumps(one) for one in expected]), strict=True):
        n += 1
        digest = (one["evidence"] or {}).get("digest")
        if one["saw"] is not None and digest is not None and digest != one["saw_digest"]:
            _altered(f"Entry {one['n']}: its digest is not that of what the request showed.", one["n"])
        if lines[n : n + 1] != [line]:
            _altered(f"The {what} of entry {one['n']} is altered.")
    return n + 1


def _revocations(lines: Sequence[bytes], n: int, told: Summary) -> int:
    """Check that what was revoked are approvals of this run; return the number of the line behind."""
    if lines[n : n + 1] != [_REVOCATIONS]:
        _altered("What follows the denials is altered.")
    n += 1
    while n < len(lines) and lines[n].startswith(b"{"):
        line = lines[n].removesuffix(b",")
        one = _object(line, "A revocation")
        again = lines[n + 1 : n + 2] != [] and lines[n + 1].startswith(b"{")
        if list(one) != _REVOCATION or orjson.dumps(one) != line or lines[n].endswith(b",") != again:
            _altered("A revocation is altered.")
        if told.grants.get(str(one["id"])) != one["submission_id"]:
            _altered(f"A revocation is altered: no approval was remembered of {one['id']!s:.140}.")
        n += 1
    return n


def _signature(
    lines: Sequence[bytes], n: int, about: Mapping[str, Any], good: Verify, keys: Sequence[Mapping[str, Any]] | None
) -> None:
    last = lines[n] if n < len(lines) else b""
    text = last.removeprefix(b'],"signature":"').removesuffix(b'"}')
    try:
        signature = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise AlteredBundle("The signature is altered.") from error
    before = b"\n".join(lines[:n]) + b"\n"
    if lines[n:] != [last, b""] or signed(b"", signature) != last + b"\n":
        _altered("The end of the bundle is altered or missing.")
    known = [about["key"]] if keys is None else [one for one in keys if one.get("kid") == about["key"]["kid"]]
    if not known:
        _altered(f"The bundle is signed by {about['key']['kid']!r}, which is none of the keys given.")
    if not any(good(key, signature, to_sign(before)) for key in known):
        _altered("The head or the signature is altered: the signature is not that of this bundle.")


def _check_fork(entries: Sequence[Entry], forked: ForkedFrom | None, run_id: str, theirs: _Hashed) -> None:
    """Check that what a fork has copied is what the other run had."""
    if forked is None or forked.run_id != run_id:
        _altered(f"This is no fork of {run_id}.")
    if forked.n is None:
        _altered("An earlier release made this fork; it does not say of which entry.")
    if forked.n >= len(theirs):
        _altered(f"The bundle of {run_id} ends before its entry {forked.n}, where the fork was made. Export it anew.")
    if theirs[forked.n][0] != forked.hash:
        _altered(f"Entry {forked.n} of {run_id} is not the one at which the fork was made.", 0)
    copied = effective([entry for _, entry in theirs[: forked.n + 1]])[: forked.keep]
    for n, (mine, other) in enumerate(zip(entries[: forked.keep], copied, strict=True)):
        if n == 0 and isinstance(mine, RunStarted) and isinstance(other, RunStarted):
            other = replace(other, run_id=mine.run_id, forked_from=mine.forked_from)  # noqa: PLW2901
        if mine != other:
            _altered(f"Entry {n} is not the one that {run_id} had.", n)


def _fork(told: Summary) -> Line | None:
    """Return which run this is a fork of, as the head says it."""
    forked = told.forked_from
    return None if forked is None else {"run_id": forked.run_id, "n": forked.n, "hash": forked.hash}


def _listed(lines: Sequence[bytes]) -> list[bytes]:
    return [*(line + b"," for line in lines[:-1]), *lines[-1:]]


def _altered(what: str, entry: int | None = None) -> Never:
    raise AlteredBundle(what, **({} if entry is None else {"entry": entry}))


def _object(line: bytes, what: str, entry: int | None = None) -> dict[str, Any]:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        _altered(f"{what} is altered: it is not JSON.", entry)
    if not isinstance(value, dict):
        _altered(f"{what} is altered.", entry)
    return value


def _read(members: Mapping[str, Any], what: str, entry: int) -> Entry:
    try:
        return journal.from_json(members)
    except WorkflowError as error:
        raise AlteredBundle(f"{what} cannot be read by this release: {error}", entry=entry) from error

"""Whatever is done to a bundle after it was written is refused, and the place is named."""

from __future__ import annotations

import random

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signoff.service import ed25519
from signoff.workflow import bundle, chain
from signoff.workflow.bundle import AlteredBundle

SEED = bytes(range(32))


def made(run_id: str = "r1", count: int = 3, seed: bytes = SEED, unhashed: int = 0) -> bytes:
    """Return a bundle of a run with so many decisions, the first entries without hashes."""
    data, head = journal_of(run_id, count, unhashed)
    key = ed25519.public_key(seed)
    lines = bundle.lines_to_sign(run_id, bundle.read(data), head=head, key=key, version="1", at=9)
    return bundle.signed(lines, ed25519.sign(seed, bundle.to_sign(lines)))


def fork_of(parent: bytes, run_id: str = "r2") -> bytes:
    """Return the bundle of a fork that begins with all that the run of another bundle has."""
    has = orjson.loads(parent)["entries"]
    raw = [one["entry"] for one in has]
    forked = {"run_id": raw[0]["run_id"], "keep": len(raw), "at": 8, "n": len(raw) - 1, "hash": has[-1]["hash"]}
    raw[0] |= {"run_id": run_id, "forked_from": forked}
    by = {"kind": "operator", "id": "local"}
    raw.append({"v": 1, "type": "run.rewound", "at": 8, "keep": len(raw), "by": by})
    data, head = chain.chained(map(orjson.dumps, raw), chain.start(run_id, 0))
    stored = [orjson.dumps(one) for one in orjson.loads(b"[" + data + b"]")]
    key = ed25519.public_key(SEED)
    lines = bundle.lines_to_sign(run_id, bundle.read(stored), head=head, key=key, version="1", at=9)
    return bundle.signed(lines, ed25519.sign(SEED, bundle.to_sign(lines)))


def journal_of(run_id: str, count: int, unhashed: int = 0) -> tuple[list[bytes], str]:
    raw = [
        {
            "v": 1, "type": "run.started", "at": 1, "run_id": run_id, "workflow": "w", "version": "1", "input": None,
            "seed": "0" * 32, "digest": "0" * 64, "tags": [],
        }
    ]  # fmt: skip
    by = {"kind": "person", "id": "user:ana"}
    for n in range(count):
        spec = {"title": f"Is {n} right?", "schema": {"type": "string"}}
        raw.append({"v": 1, "type": "input.requested", "at": 2, "id": f"a:{n}", "spec": spec, "to": ["user:ana"]})
        answer = {"submission_id": f"s{n}", "digest": "0" * 64, "action": "submit", "value": "é", "by": by}
        raw.append({"v": 1, "type": "input.answered", "at": 3, "id": f"a:{n}", **answer})
    messages = [orjson.dumps(one) for one in raw]
    stored, head = messages[:unhashed], chain.start(run_id, unhashed)
    for one in messages[unhashed:]:
        head = chain.link(head, one)
        stored.append(chain.with_head(one, head))
    return stored, head


BUNDLE = made()


@settings(max_examples=500, deadline=None)
@given(at=st.integers(0, len(BUNDLE) - 1), by=st.integers(1, 255))
def test_one_changed_byte_is_refused_and_its_place_named(at: int, by: int) -> None:
    altered = bytearray(BUNDLE)
    altered[at] ^= by
    with pytest.raises(AlteredBundle) as refused:
        bundle.verify(bytes(altered), ed25519.is_good)
    line = BUNDLE[:at].count(b"\n")
    if 1 <= line <= 7 and BUNDLE[at : at + 1] != b"\n":
        assert f"Entry {line - 1} " in refused.value.detail


def test_what_is_cut_off_swapped_doubled_or_spliced_is_refused() -> None:
    bundle.verify(BUNDLE, ed25519.is_good)
    lines, others = BUNDLE.split(b"\n"), made("r2").split(b"\n")
    chance = random.Random(1)
    for n in range(len(lines) - 1):
        for altered in (lines[:n], lines[:n] + lines[n + 1 :], [*lines[: n + 1], *lines[n:]]):
            with pytest.raises(AlteredBundle):
                bundle.verify(b"\n".join(altered), ed25519.is_good)
    for n in chance.sample(range(1, 7), 4):
        with pytest.raises(AlteredBundle, match=f"Entry {n - 1} "):
            bundle.verify(b"\n".join([*lines[:n], others[n] + b" ", *lines[n + 1 :]]), ed25519.is_good)
        swapped = [*lines[:n], lines[n + 1], lines[n], *lines[n + 2 :]]
        with pytest.raises(AlteredBundle, match=f"Entry {n - 1} "):
            bundle.verify(b"\n".join(swapped), ed25519.is_good)
    with pytest.raises(AlteredBundle, match="Entry 0 "):
        bundle.verify(b"\n".join([lines[0], *others[1:]]), ed25519.is_good)


def test_a_forgery_that_is_chained_and_signed_anew_needs_the_key() -> None:
    pinned = [ed25519.public_key(SEED)]
    assert bundle.verify(BUNDLE, ed25519.is_good, pinned).key == pinned[0]["kid"]
    with pytest.raises(AlteredBundle, match="none of the keys"):
        bundle.verify(made(seed=bytes(32)), ed25519.is_good, pinned)


def test_entries_of_earlier_releases_have_no_hashes_and_the_bundle_says_so() -> None:
    assert bundle.verify(made(unhashed=3), ed25519.is_good).hashed_from == 3


def test_a_fork_is_held_against_the_run_it_was_forked_from() -> None:
    fork = fork_of(BUNDLE)
    assert bundle.verify(fork, ed25519.is_good, parent=BUNDLE).run_id == "r2"
    for other in (made(count=2), made(count=4, unhashed=2), made(unhashed=3)):
        with pytest.raises(AlteredBundle, match=r"where the fork was made|at which the fork was made"):
            bundle.verify(fork, ed25519.is_good, parent=other)
    with pytest.raises(AlteredBundle, match="The bundle of the run that it was forked from: Entry 1 is altered"):
        bundle.verify(fork, ed25519.is_good, parent=BUNDLE.replace(b"Is 0 right", b"Is 9 right", 1))
    altered = fork.replace(b'"forked_from":{"run_id":"r1","n":6', b'"forked_from":{"run_id":"r1","n":5', 1)
    with pytest.raises(AlteredBundle, match="The head is altered"):
        bundle.verify(altered, ed25519.is_good)

"""Evidence: what a bundle of a run proves, and that nothing of it can be altered unseen."""

from __future__ import annotations

import random
from typing import Any

import orjson
import pytest

from signoff import App, Context
from signoff.errors import JournalTooLong, RunNotFound
from signoff.service import ed25519
from signoff.service.kinds import run_name
from signoff.workflow import bundle, chain
from signoff.workflow.bundle import AlteredBundle, Proven
from signoff.workflow.entry import DecidedBy
from signoff.workflow.input.evidence import SHOWN, digest_of
from tests.runtime.scene import stage
from tests.server.hosting import KEYED, Host, bearer, hosting, problem

ALICE = bearer("alice", groups=("finance",), jti="t1")
BOSS = bearer("boss", "operator")


async def decided(host: Host) -> dict[str, Any]:
    row = await host.ask(spec={"show": {"amount": "120.00"}})
    body = {"submission_id": "s1", "action": "submit", "value": {"approved": True}, "seen_offset": row["revised"]}
    reply = await host.post("/v1/runs/r1/inputs/approve:0/answer", body, **ALICE)
    assert reply.status_code == 200
    assert "t1" not in reply.text
    return row


def verified(data: bytes) -> Proven:
    return bundle.verify(data, ed25519.is_good)


async def test_a_bundle_says_who_decided_what_having_seen_what(store: str) -> None:
    async with hosting(store, KEYED) as host:
        row = await decided(host)
        data = (await host.http.get("/v1/runs/r1/audit", headers=BOSS)).content
        proven = verified(data)
        assert (proven.run_id, proven.decisions, proven.hashed_from) == ("r1", 1, 0)
        (decision,) = orjson.loads(data)["decisions"]
        assert (decision["by"], decision["action"]) == ({"kind": "person", "id": "user:alice"}, "submit")
        assert decision["evidence"] == {"seen": row["revised"], "digest": digest_of(decision["saw"]), "via": "token:t1"}
        assert (decision["saw"]["title"], decision["saw"]["show"]) == ("Approve?", {"amount": "120.00"})
        assert decision["asked"] == ["group:finance"]


async def test_one_changed_byte_is_refused_wherever_it_is(store: str) -> None:
    async with hosting(store, KEYED) as host:
        await decided(host)
        data = await host.engine.audit.export("r1")
    chance = random.Random(7)
    places = {*range(0, len(data), max(1, len(data) // 400)), len(data) - 1}
    for place in places:
        altered = bytearray(data)
        altered[place] ^= 1 << chance.randrange(7)
        with pytest.raises(AlteredBundle):
            verified(bytes(altered))
    verified(data)


async def test_what_is_altered_is_named(store: str) -> None:
    async with hosting(store, KEYED) as host:
        await decided(host)
        data = await host.engine.audit.export("r1")
    lines = data.split(b"\n")
    with pytest.raises(AlteredBundle, match="Entry 1"):
        verified(data.replace(b'"title":"Approve?"', b'"title":"Approve!"', 1))
    with pytest.raises(AlteredBundle, match="Entry 2"):
        verified(b"\n".join([*lines[:3], *lines[4:]]))
    with pytest.raises(AlteredBundle, match="Entry 1"):
        verified(b"\n".join([lines[0], lines[1], lines[3], lines[2], *lines[4:]]))
    for end in range(len(lines)):
        with pytest.raises(AlteredBundle):
            verified(b"\n".join(lines[:end]))


async def test_a_bundle_that_another_key_has_signed_is_refused(store: str) -> None:
    async with hosting(store, KEYED) as host:
        await decided(host)
        data = await host.engine.audit.export("r1")
        published = (await host.http.get("/v1/stream/__ds/jwks.json")).json()["keys"]
    assert bundle.verify(data, ed25519.is_good, published).key == published[0]["kid"]
    other = ed25519.public_key(b"o" * 32)
    with pytest.raises(AlteredBundle, match="none of the keys"):
        bundle.verify(data, ed25519.is_good, [other])
    with pytest.raises(AlteredBundle, match="signature"):
        bundle.verify(data, ed25519.is_good, [other | {"kid": published[0]["kid"]}])


async def test_evidence_is_for_operators_and_whom_they_let(store: str) -> None:
    async with hosting(store, KEYED) as host:
        await decided(host)
        problem(await host.http.get("/v1/runs/r1/audit", headers=ALICE), 403, "forbidden")
        auditor = bearer("ann", "run:audit:r1")
        assert (await host.http.get("/v1/runs/r1/audit", headers=auditor)).status_code == 200
        problem(await host.http.get("/v1/runs/r2/audit", headers=auditor), 403, "forbidden")
        with pytest.raises(RunNotFound):
            await host.engine.audit.export("r2")
        rows = (await host.http.get("/v1/stream/runs/r1", params={"offset": "-1"}, headers=BOSS)).text
        assert "evidence" not in rows
        assert "token:t1" not in rows


def history_of(data: bytes, type_: str) -> list[dict[str, Any]]:
    """Return the entries of one type that a bundle has."""
    return [one["entry"] for one in orjson.loads(data)["entries"] if one["entry"]["type"] == type_]


def denials(history: Any) -> list[tuple[str, str, str | None]]:
    """Return who was refused for what reason, and what proves who that is."""
    found = [entry for entry in history if entry["type"] == "input.denied"]
    return [(one["by"]["id"], one["reason"], one["evidence"].get("via")) for one in found]


async def test_who_is_refused_is_told_so_once_it_is_written(store: str) -> None:
    async with hosting(store, KEYED) as host:
        row = await host.ask(forbid=("user:carol",), spec={"show": {"amount": "120.00"}})
        before = await host.engine.inputs.get("r1", "approve:0")
        seen = {"seen_offset": row["revised"]}
        body = {"submission_id": "s1", "action": "submit", "value": {"approved": True}, **seen}
        path = "/v1/runs/r1/inputs/approve:0/answer"
        carol = bearer("carol", groups=("finance",), jti="t3")
        first = problem(await host.post(path, body, **bearer("mallory", jti="t2")), 403, "not_in_audience")
        again = problem(await host.post(path, body, **bearer("mallory", jti="t2")), 403, "not_in_audience")
        assert first["detail"] == again["detail"]
        problem(await host.post(path, body, **carol), 403, "not_in_audience")
        problem(await host.post(path, body | {"seen_offset": "0" * 16}, **ALICE), 409, "stale")
        problem(await host.post(path, body), 401, "unauthorized")
        problem(await host.post("/v1/runs/r1/inputs/other:0/answer", body, **ALICE), 403, "not_in_audience")
        expected = [
            ("user:mallory", "not_in_audience", "token:t2"),
            ("user:carol", "barred", "token:t3"),
            ("user:alice", "stale", "token:t1"),
        ]
        assert denials(await host.engine.runs.history("r1")) == expected
        assert await host.engine.inputs.get("r1", "approve:0") == before
        assert (await host.post(path, body, **ALICE)).json()["outcome"] == "accepted"
        late = body | {"submission_id": "s2"}
        problem(await host.post(path, late, **bearer("dan", groups=("finance",), jti="t4")), 409, "already_decided")
        assert denials(await host.engine.runs.history("r1"))[3:] == [("user:dan", "already_decided", "token:t4")]
        rows = (await host.http.get("/v1/stream/runs/r1", params={"offset": "-1"}, headers=BOSS)).text
        assert "mallory" not in rows
        data = await host.engine.audit.export("r1")
        assert (verified(data).decisions, verified(data).denials) == (1, 4)
        told = orjson.loads(data)["denials"]
        assert [(one["by"]["id"], one["act"], one["action"]) for one in told] == [
            (who, "answer", "submit") for who, _, _ in [*expected, ("user:dan", "", "")]
        ]
        # What was shown when nothing was there yet, nobody has seen.
        assert [one["saw"] and one["saw"]["title"] for one in told] == ["Approve?", "Approve?", None, "Approve?"]
        assert not any("value" in one for one in history_of(data, "input.denied"))


async def test_what_is_refused_wakes_nobody(store: str) -> None:
    async with hosting(store, KEYED) as host:
        row = await host.ask()
        stored = await host.engine.store.load(run_name("r1"))
        body = {"submission_id": "s1", "action": "submit", "value": None, "seen_offset": row["revised"]}
        problem(await host.post("/v1/runs/r1/inputs/approve:0/answer", body, **bearer("eve")), 403, "not_in_audience")
        after = await host.engine.store.load(run_name("r1"))
        assert stored is not None
        assert after is not None
        assert after.subject.version == stored.subject.version + 1
        assert (after.subject.ready, after.subject.wake_at) == (stored.subject.ready, stored.subject.wake_at)


async def test_what_people_do_beside_answering_has_evidence_too(store: str) -> None:
    async with hosting(store, KEYED) as host:
        row = await host.ask(to=("user:alice", "user:bora"))
        path, why = "/v1/runs/r1/inputs/approve:0", {"reason": "away"}
        boss = bearer("boss", "operator", jti="t9")
        await host.post(f"{path}/claim", {}, **ALICE)
        await host.post(f"{path}/comment", {"text": "Which receipts?"}, **ALICE)
        await host.post(f"{path}/release", {}, **ALICE)
        await host.post(f"{path}/delegate", {"to": "user:dan", **why}, **ALICE)
        await host.post(f"{path}/revise", {"title": "Really?", **why}, **boss)
        revised = await host.engine.inputs.get("r1", "approve:0")
        await host.post(f"{path}/reassign", {"to": ["user:eve"], **why}, **boss)
        await host.post(f"{path}/withdraw", why, **boss)
        await host.post("/v1/runs/r1/pause", why, **boss)
        await host.post("/v1/runs/r1/resume", {}, **boss)
        history = (await host.engine.runs.history("r1"))[2:]
        shown = [digest_of({name: one[name] for name in SHOWN}) for one in (row, revised)]
        by_alice, by_boss = (
            {"digest": digest, "via": via} for digest, via in zip(shown, ("token:t1", "token:t9"), strict=True)
        )
        assert [(one["type"], one.get("evidence")) for one in history] == [
            ("input.claimed", by_alice),
            ("comment.added", by_alice),
            ("input.released", by_alice),
            ("input.delegated", by_alice),
            ("input.amended", {"digest": shown[0], "via": "token:t9"}),
            ("input.reassigned", by_boss),
            ("input.recalled", by_boss),
            ("run.paused", {"via": "token:t9"}),
            ("run.resumed", {"via": "token:t9"}),
        ]
        rows = (await host.http.get("/v1/stream/runs/r1", params={"offset": "-1"}, headers=BOSS)).text
        assert "token:" not in rows
        verified(await host.engine.audit.export("r1"))


async def test_a_journal_that_was_changed_in_the_store_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    async with hosting("memory:", KEYED) as host:
        await decided(host)
        stored = await host.engine.audit._stored("r1", 3)
        changed = [stored[0], stored[1].replace(b"Approve?", b"Approve!"), *stored[2:]]

        async def read(*_: Any) -> list[bytes]:
            return changed

        monkeypatch.setattr(host.engine.audit, "_stored", read)
        with pytest.raises(AlteredBundle, match="Entry 1"):
            verified(await host.engine.audit.export("r1"))


async def test_a_journal_beyond_all_measure_is_not_taken_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signoff.service.audit.MOST_BYTES", 100)
    async with hosting("memory:", KEYED) as host:
        await decided(host)
        with pytest.raises(JournalTooLong):
            await host.engine.audit.export("r1")


app = App()
OPERATOR = DecidedBy("operator", "local")


@app.workflow
async def expense(ctx: Context, amount: float) -> bool:
    await ctx.await_input("approve", bool, title=f"Pay {amount} €?", to=["group:finance"])
    signed = await ctx.await_input("sign", bool, title="Sign?", to=["group:finance"])
    return signed.value


async def test_forks_and_rewound_runs_are_proven_too(url: str) -> None:
    async with stage(app, url) as on:
        run = await on.start("expense", 12.5, run_id="r1")
        await on.answer(await on.asks(run, "approve:0"), True)
        await on.answer(await on.asks(run, "sign:0"), True)
        await on.reaches(run, "completed")
        await on.engine.runs.act("fork", run, OPERATOR, at="sign:0", run_id="r2")
        await on.answer(await on.asks("r2", "sign:0"), False)
        await on.reaches("r2", "completed")
        await on.engine.runs.act("fork", "r2", OPERATOR, at="sign:0", run_id="r3")
        await on.asks("r3", "sign:0")
        await on.engine.runs.act("rewind", "r3", OPERATOR, "token:t5", to="approve:0")
        await on.answer(await on.asks("r3", "approve:0"), False)
        bundles = {run_id: await on.engine.audit.export(run_id) for run_id in ("r1", "r2", "r3")}
        for run_id, seen in (("r1", [True, True]), ("r2", [False, True]), ("r3", [False, True])):
            assert bundle.verify(bundles[run_id], ed25519.is_good).run_id == run_id
            # What was decided before the fork was seen in the other run, whose bundle shows it.
            assert [one["saw"] is not None for one in orjson.loads(bundles[run_id])["decisions"]] == seen
        (rewound,) = [entry for entry in await on.entries("r3", "run.rewound") if entry.get("evidence")]
        assert rewound["evidence"] == {"via": "token:t5"}
        row = await on.engine.runs.get("r2")
        assert row["forked_from"] == {"run_id": "r1", "keep": 3}  # the chain is for auditors
    for fork, parent in (("r2", "r1"), ("r3", "r2")):
        head, entries = orjson.loads(bundles[fork]), orjson.loads(bundles[parent])["entries"]
        named = head["forked_from"]
        assert (named["run_id"], named["hash"]) == (parent, entries[named["n"]]["hash"])
        proven = bundle.verify(bundles[fork], ed25519.is_good, parent=bundles[parent])
        assert proven.forked_from is not None
        assert (proven.forked_from.run_id, proven.forked_from.hash) == (parent, named["hash"])
    with pytest.raises(AlteredBundle, match="no fork of r1"):
        bundle.verify(bundles["r3"], ed25519.is_good, parent=bundles["r1"])
    with pytest.raises(AlteredBundle, match="no fork of r2"):
        bundle.verify(bundles["r1"], ed25519.is_good, parent=bundles["r2"])


async def test_a_fork_of_something_that_another_run_never_had_is_found() -> None:
    """Whoever holds store and key can write a history: not one that fits that of another run which somebody kept."""
    async with stage(app, "memory:") as on:
        await on.start("expense", 12.5, run_id="r1")
        await on.answer(await on.asks("r1", "approve:0"), True)
        await on.asks("r1", "sign:0")
        kept = await on.engine.audit.export("r1")
        await on.engine.runs.act("fork", "r1", OPERATOR, run_id="r2", at="sign:0")
        fork = await on.engine.audit.export("r2")
        assert bundle.verify(fork, ed25519.is_good, parent=kept).run_id == "r2"
        stored = await on.engine.audit._stored("r2", 4)
        seed = await on.engine.audit._keys.seed()
    for old, new, where in (
        (b'"value":true', b'"value":false', "Entry 2"),
        (b'"n":3', b'"n":2', "Entry 2 of r1"),
        (b'"n":3', b'"n":9', "ends before"),
    ):
        forged = [orjson.loads(one.replace(old, new)) for one in stored]
        raw = [orjson.dumps({name: value for name, value in one.items() if name != "chain"}) for one in forged]
        data, head = chain.chained(raw, chain.start("r2", 0))
        again = bundle.read([orjson.dumps(one) for one in orjson.loads(b"[" + data + b"]")])
        lines = bundle.lines_to_sign("r2", again, head=head, key=ed25519.public_key(seed), version="1", at=1)
        whole = bundle.signed(lines, ed25519.sign(seed, bundle.to_sign(lines)))
        assert bundle.verify(whole, ed25519.is_good).run_id == "r2"
        with pytest.raises(AlteredBundle, match=where):
            bundle.verify(whole, ed25519.is_good, parent=kept)

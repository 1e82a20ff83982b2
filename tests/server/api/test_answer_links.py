from __future__ import annotations

import asyncio
from html.parser import HTMLParser
from typing import Any

import httpx
import orjson
import pytest

from signoff.links import make
from signoff.server.config import ServerConfig
from signoff.service.links import Links
from signoff.signing import Keyring
from signoff.timestamps import rfc3339
from signoff.workflow.input.attachment import AttachmentLimits
from signoff.workflow.input.entries import InputRevised, InputWithdrawn
from tests.server.hosting import KEYED, SECRET, Host, bearer, hosting, problem

KEYRING = Keyring((SECRET,))
ALICE = ("user:alice",)
NUMBERS = {
    "type": "object",
    "properties": {
        "amount": {"type": "integer", "title": "Amount", "maximum": 100},
        "notes": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["amount"],
}


class Page(HTMLParser):
    """What a browser would see of a page: elements, and the fields of its first form."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data

    def hidden(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for tag, attributes in self.elements:
            if tag == "input" and attributes.get("type") == "hidden":
                found.setdefault(str(attributes["name"]), str(attributes["value"]))
        return found


def link(to: Any = ALICE, **how: Any) -> str:
    return f"/v1/answer/{make(KEYRING, 'r1', 'approve:0', to, **how).token}"


async def opened(host: Host, path: str, status: int = 200) -> Page:
    reply = await host.http.get(path)
    assert reply.status_code == status, reply.text
    assert_safe(reply)
    return Page(reply.text)


def assert_safe(reply: httpx.Response) -> None:
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script" not in policy
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["referrer-policy"] == "no-referrer"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["x-robots-tag"] == "noindex, nofollow"
    assert reply.headers["content-type"] == "text/html; charset=utf-8"


async def test_a_form_decides_once_and_a_double_click_is_one_answer(store: str) -> None:
    async with hosting(store, KEYED) as host:
        await host.ask(to=ALICE)
        path = link()
        form = (await opened(host, path)).hidden() | {"action": "submit", "v/approved": "1"}
        replies = await asyncio.gather(host.http.post(path, data=form), host.http.post(path, data=form))
        assert [reply.status_code for reply in replies] == [200, 200]
        assert "Your answer is recorded" in replies[0].text
        row = await host.engine.inputs.get("r1", "approve:0")
        assert row["decided_by"] == {"kind": "person", "id": "user:alice"}
        types = [entry["type"] for entry in await host.engine.runs.history("r1")]
        assert types.count("input.answered") == 1
        late = await host.http.post(path, data=form | {"submission_id": "other"})
        assert late.status_code == 409
        assert "Already decided" in late.text
        assert "user:alice" in (await opened(host, path)).words


async def test_a_scanner_that_opens_every_link_changes_nothing(store: str) -> None:
    async with hosting(store, KEYED) as host:
        await host.ask(to=ALICE)
        before = await host.everything()
        path = link(once=True)
        prefetch = {"sec-purpose": "prefetch", "purpose": "prefetch"}
        calls = [host.http.request(how, path, headers=prefetch) for how in ("GET", "HEAD", "OPTIONS") * 4]
        replies = await asyncio.gather(*calls)
        assert {reply.status_code for reply in replies} == {200, 204}
        assert await host.everything() == before


async def test_what_does_not_fit_comes_back_with_errors_at_its_fields(store: str) -> None:
    async with hosting(store, KEYED) as host:
        await host.ask(to=ALICE, spec={"schema": NUMBERS})
        path = link()
        form = (await opened(host, path)).hidden() | {"action": "submit", "v/amount": "<b>9"}
        reply = await host.http.post(path, data=form)
        assert reply.status_code == 422
        assert_safe(reply)
        page = Page(reply.text)
        (amount,) = [one for tag, one in page.elements if one.get("name") == "v/amount"]
        assert amount["value"] == "<b>9"
        assert amount["aria-invalid"] == "true"
        ids = {one["id"] for _, one in page.elements if "id" in one}
        assert set(str(amount["aria-describedby"]).split()) <= ids
        assert "b" not in {tag for tag, _ in page.elements}
        form = page.hidden() | {"action": "submit", "v/amount": "9"}
        assert (await host.http.post(path, data=form)).status_code == 200


async def test_adding_a_row_decides_nothing(store: str) -> None:
    async with hosting(store, KEYED) as host:
        await host.ask(to=ALICE, spec={"schema": NUMBERS})
        before = await host.everything()
        path = link()
        form = (await opened(host, path)).hidden() | {"add": "v/notes", "v/amount": "7", "v/notes/0": "one"}
        reply = await host.http.post(path, data=form)
        assert reply.status_code == 200
        fields = {str(one.get("name")): one.get("value") for _, one in Page(reply.text).elements}
        assert (fields["v/amount"], fields["v/notes/0"]) == ("7", "one")
        assert "v/notes/5" in fields
        assert await host.everything() == before


async def test_what_was_revised_is_shown_again_saying_what_changed(store: str) -> None:
    async with hosting(store, KEYED) as host:
        await host.ask(to=ALICE, spec={"show": {"total": 120, "currency": "EUR"}})
        path = link()
        form = (await opened(host, path)).hidden() | {"action": "submit", "v/approved": "1"}
        at = host.engine.clock.now_ms()
        changes = {"show": {"total": 200, "currency": "EUR"}}
        await host.record("r1", InputRevised(at=at, id="approve:0", changes=changes))
        reply = await host.http.post(path, data=form)
        assert reply.status_code == 409
        assert_safe(reply)
        assert "What changed: total." in Page(reply.text).words
        again = Page(reply.text).hidden() | {"action": "submit", "v/approved": "1"}
        assert (await host.http.post(path, data=again)).status_code == 200


async def test_a_page_of_a_deleted_run_decides_nothing_of_the_run_that_has_its_id_now(store: str) -> None:
    async with hosting(store, KEYED) as host:
        await host.ask(to=ALICE, spec={"show": {"total": 1}})
        path = link()
        form = (await opened(host, path)).hidden() | {"action": "submit", "v/approved": "1"}
        await host.ask_again(to=ALICE, spec={"show": {"total": 1_000_000}})
        reply = await host.http.post(path, data=form)
        assert reply.status_code == 409
        assert "This is another request than you had opened, so your answer was not recorded." in reply.text
        assert "What changed: total." in Page(reply.text).words
        assert (await host.engine.inputs.get("r1", "approve:0"))["status"] == "pending"
        again = Page(reply.text).hidden() | {"action": "submit", "v/approved": "1"}
        assert (await host.http.post(path, data=again)).status_code == 200


async def test_a_page_of_a_deleted_run_decides_nothing_of_one_that_looks_the_same(store: str) -> None:
    async with hosting(store, KEYED) as host:
        await host.ask(policy={"claim_required": True}, spec={"claim_required": True})
        path = link(("user:alice", "group:finance"))
        form = (await opened(host, path)).hidden() | {"action": "submit", "v/approved": "1"}
        now = await host.ask_again(policy={"claim_required": True}, spec={"claim_required": True})
        reply = await host.http.post(path, data=form)
        assert (reply.status_code, "This is another request than you had opened" in reply.text) == (409, True)
        assert await host.engine.inputs.get("r1", "approve:0") == now  # not even claimed


async def test_a_link_that_was_made_for_a_request_opens_none_of_another_run(store: str) -> None:
    async with hosting(store, KEYED) as host:
        row = await host.ask(to=ALICE)
        path, other = [link(once=once, asked_at=row["asked_at"]) for once in (True, False)]
        form = (await opened(host, path)).hidden() | {"action": "submit", "v/approved": "1"}
        assert (await host.http.post(path, data=form)).status_code == 200
        assert "Your answer is recorded" in (await opened(host, path)).words
        now = await host.ask_again(to=ALICE)
        for gone in (path, other):  # also one that was used up in the run that is deleted
            assert "asked by another" in (await opened(host, gone, 410)).words
            assert (await host.http.post(gone, data=form | {"submission_id": "s2"})).status_code == 410
            body = {
                "submission_id": "s3",
                "action": "submit",
                "value": {"approved": True},
                "seen_offset": now["revised"],
            }
            problem(await host.post(gone, body), 410, "gone")
        assert await host.engine.inputs.get("r1", "approve:0") == now
        await opened(host, link(once=True, asked_at=now["asked_at"]))


async def test_a_link_goes_on_when_its_run_was_rewound_and_asks_anew(store: str) -> None:
    async with hosting(store, KEYED) as host:
        row = await host.ask(to=ALICE)
        path = link(asked_at=row["asked_at"])
        boss = bearer("boss", "operator")
        rewound = await host.post("/v1/runs/r1/rewind", {"to": "approve:0"}, **boss)
        assert rewound.status_code == 200, rewound.text
        while rfc3339(host.engine.clock.now_ms()) <= row["asked_at"]:
            await asyncio.sleep(0.001)
        anew = await host.ask(to=ALICE)
        assert anew["asked_at"] > row["asked_at"]
        form = (await opened(host, path)).hidden() | {"action": "submit", "v/approved": "1"}
        assert (await host.http.post(path, data=form)).status_code == 200


async def test_a_link_allows_what_it_names_and_nothing_else(store: str) -> None:
    async with hosting(store, KEYED) as host:
        await host.ask(to=ALICE, spec={"actions": ["approve", "reject"]})
        path = link(actions=["reject"])
        page = await opened(host, path)
        assert [one["value"] for tag, one in page.elements if tag == "button" and one["name"] == "action"] == ["reject"]
        form = page.hidden() | {"action": "approve", "v/approved": "1"}
        assert (await host.http.post(path, data=form)).status_code == 403
        assert (await host.http.post(path, data=form | {"action": "reject"})).status_code == 200


async def test_a_link_opens_nothing_else() -> None:
    async with hosting("memory:", KEYED) as host:
        await host.ask(to=ALICE)
        token = link().rpartition("/")[2]
        for path in ("/v1/runs/r1", "/v1/inputs", "/v1/stream/runs/r1", "/v1/runs/r1/inputs/approve:0"):
            reply = await host.http.get(path, headers={"authorization": f"Bearer {token}"})
            assert reply.status_code == 401


async def test_each_end_of_a_link_has_a_page_of_its_own(store: str) -> None:
    async with hosting(store, KEYED) as host:
        await host.ask(to=ALICE)
        assert "has ended" in (await opened(host, link(now_s=0), 410)).words
        assert "not asked of you" in (await opened(host, link("user:bob"), 403)).words
        assert "not one of ours" in (await opened(host, "/v1/answer/garbage", 404)).words
        made = make(KEYRING, "r1", "approve:0", "user:alice")
        await opened(host, f"/v1/answer/{made.token}", 200)
        for _ in range(2):
            revoked = await host.post("/v1/tokens/revoke", {"link": made.id}, **bearer("boss", "operator"))
            assert (revoked.status_code, revoked.json()) == (200, {"revoked": f"link:{made.id}"})
        assert "taken back" in (await opened(host, f"/v1/answer/{made.token}", 410)).words
        at = host.engine.clock.now_ms()
        await host.record("r1", InputWithdrawn(at=at, id="approve:0", reason="<i>No need"))
        assert "<i>No need" in (await opened(host, link())).words


async def test_one_answer_alone_is_taken_through_a_link_for_one(store: str) -> None:
    async with hosting(store, KEYED) as host:
        await host.ask(to=ALICE)
        path = link(once=True)
        bodies = [
            {"submission_id": f"s{n}", "action": "submit", "value": {"approved": bool(n)}, "seen_offset": "-1"}
            for n in range(2)
        ]
        row = await host.engine.inputs.get("r1", "approve:0")
        replies = await asyncio.gather(*(host.post(path, {**body, "seen_offset": row["revised"]}) for body in bodies))
        assert sorted(reply.status_code for reply in replies) == [200, 409]
        refused = next(reply for reply in replies if reply.status_code == 409)
        assert "good for one answer" in problem(refused, 409, "submission_reused")["detail"]
        later = await host.post(
            path, {**bodies[0], "submission_id": "s9", "value": None, "seen_offset": row["revised"]}
        )
        assert "good for one answer" in problem(later, 409, "submission_reused")["detail"]


async def test_a_link_for_one_answer_shows_what_became_of_it(store: str) -> None:
    async with hosting(store, KEYED) as host:
        await host.ask(to=ALICE)
        path = link(once=True)
        form = (await opened(host, path)).hidden() | {"action": "submit", "v/approved": "1"}
        assert (await host.http.post(path, data=form)).status_code == 200
        for _ in range(2):
            shown = await opened(host, path)
            assert "Your answer is recorded" in shown.words
            assert "form" not in {tag for tag, _ in shown.elements}
        other = await host.http.post(path, data=form | {"v/approved": "0", "submission_id": "other", "action": "no"})
        assert other.status_code == 409
        assert "This link was used" in other.text


async def test_a_link_for_one_vote_shows_no_form_again_though_others_are_still_asked(store: str) -> None:
    async with hosting(store, KEYED) as host:
        await host.ask(policy={"quorum": {"need": 2, "veto": []}})
        path, other = [link((who, "group:finance"), once=True) for who in ("user:alice", "user:bora")]
        form = (await opened(host, path)).hidden() | {"action": "submit", "v/approved": "1"}
        voted = await host.http.post(path, data=form)
        assert (voted.status_code, "1 of 2 agree so far" in voted.text) == (200, True)
        assert_safe(voted)
        shown = await opened(host, path)
        assert "1 of 2 agree so far" in shown.words
        assert "form" not in {tag for tag, _ in shown.elements}
        form = (await opened(host, other)).hidden() | {"action": "submit", "v/approved": "1"}
        assert "Your answer is recorded" in (await host.http.post(other, data=form)).text


@pytest.mark.parametrize("once", [False, True])
async def test_loading_anew_what_was_accepted_tells_it_again_whoever_is_asked_by_then(store: str, once: bool) -> None:
    async with hosting(store, KEYED) as host:
        await host.ask(policy={"quorum": {"need": 2, "veto": []}})
        path = link(("user:alice", "group:finance"), once=once)
        form = (await opened(host, path)).hidden() | {"action": "submit", "v/approved": "1"}
        first = await host.http.post(path, data=form)
        body = {"to": ["user:dan", "user:eva"], "reason": "away"}
        moved = await host.post("/v1/runs/r1/inputs/approve:0/reassign", body, **bearer("boss", "operator"))
        assert moved.status_code == 200
        again = await host.http.post(path, data=form)
        assert (again.status_code, again.text) == (200, first.text)
        del form["v/approved"]
        new = await host.http.post(path, data=form | {"submission_id": "another"})
        assert new.status_code == 403
        assert "Approve?" not in new.text
        more = await host.http.post(path, data=form | {"add": ""})
        assert (more.status_code, "Approve?" in more.text) == (403, False)


async def test_what_is_checked_by_the_workflow_says_so(store: str) -> None:
    async with hosting(store, KEYED) as host:
        await host.ask(to=ALICE, policy={"validated": "all"})
        path = link()
        form = (await opened(host, path)).hidden() | {"action": "submit", "v/approved": "1"}
        for _ in range(2):
            sent = await host.http.post(path, data=form, headers={"prefer": "wait=0"})
            assert (sent.status_code, "Your answer is being checked" in sent.text) == (202, True)
            assert_safe(sent)
        assert "being checked just now" in (await opened(host, path)).words
        other = await host.http.post(path, data=form | {"submission_id": "other", "v/approved": ""})
        assert (other.status_code, "<h1>Being checked</h1>" in other.text) == (409, True)


async def test_what_somebody_else_works_on_says_who(store: str) -> None:
    async with hosting(store, KEYED) as host:
        await host.ask()
        path = link(("user:alice", "group:finance"))
        form = (await opened(host, path)).hidden() | {"action": "submit", "v/approved": "1"}
        bora = bearer("bora", groups=("finance",))
        await host.post("/v1/runs/r1/inputs/approve:0/claim", {}, **bora)
        shown = await opened(host, path, 409)
        sent = await host.http.post(path, data=form)
        for words in (shown.words, Page(sent.text).words):
            assert "Somebody else works on it" in words
            assert "user:bora" in words
            assert "othing was recorded" in words
        await host.post("/v1/runs/r1/inputs/approve:0/release", {}, **bora)
        assert (await host.http.post(path, data=form)).status_code == 200


async def test_what_has_to_be_claimed_is_claimed_by_the_answer(store: str) -> None:
    async with hosting(store, KEYED) as host:
        await host.ask(policy={"claim_required": True}, spec={"claim_required": True})
        path = link(("user:alice", "group:finance"))
        form = (await opened(host, path)).hidden() | {"action": "submit", "v/approved": "1"}
        assert (await host.http.post(path, data=form)).status_code == 200
        types = [entry["type"] for entry in await host.engine.runs.history("r1")]
        assert types[-2:] == ["input.claimed", "input.answered"]


async def test_a_description_is_formatted_and_runs_nothing() -> None:
    async with hosting("memory:", KEYED) as host:
        evil = "[a](javascript:alert(1)) <img src=x onerror=alert(1)> ![p](https://spy.example/p.png)"
        await host.ask(to=ALICE, spec={"title": "*Plain* title", "description": f"**Two** things:\n\n- one\n\n{evil}"})
        page = await opened(host, link())
        tags = {tag for tag, _ in page.elements}
        assert {"strong", "ul", "li"} <= tags
        assert not {"em", "img", "script"} & tags
        assert [one["href"] for tag, one in page.elements if tag == "a"] == ["https://spy.example/p.png"]


async def test_bodies_that_are_no_answer_are_refused_as_what_they_are() -> None:
    async with hosting("memory:", ServerConfig(secret=SECRET, max_body=10_000)) as host:
        await host.ask(to=ALICE)
        before = await host.everything()
        path = link()
        assert (await host.http.post(path, data={"v": "x" * 20_000})).status_code == 413
        assert (await host.http.post(path, data={"v": "x"})).status_code == 400
        assert (await host.http.post(path, content=b"\xff", headers={"content-type": "text/plain"})).status_code == 415
        several = await host.http.post(path, files={"v": b"x"})
        assert (several.status_code, "application/x-www-form-urlencoded" in several.text) == (415, True)
        assert_safe(several)
        problem(await host.post(path, {}), 400, "bad_request")
        assert (await host.http.put(path)).status_code == 405
        assert await host.everything() == before


async def test_a_server_without_a_key_signs_with_one_from_its_store(store: str) -> None:
    async with hosting(store) as host:
        await host.ask(to=ALICE)
        links = Links(host.engine.store, host.engine.committer, host.engine.clock, None)
        made = make(await links.keyring(), "r1", "approve:0", "user:alice")
        form = (await opened(host, f"/v1/answer/{made.token}")).hidden() | {"action": "submit", "v/approved": "1"}
        reply = await host.http.post(f"/v1/answer/{made.token}", data=form, headers={"origin": "null"})
        assert reply.status_code == 200
        assert (await host.http.get(link())).status_code == 404


EVIL = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'</textarea></title></style>"


async def test_whatever_a_request_says_is_text(store: str) -> None:
    schema = {
        "type": "object",
        "title": EVIL,
        "properties": {
            EVIL: {"type": "string", "title": EVIL, "description": EVIL, "default": EVIL},
            "pick": {"enum": [EVIL, "b"], "title": EVIL},
            "never": {"type": "string", "title": EVIL, "minLength": 1},
            "long": {"type": "string", "maxLength": 900},
            "map": {"type": "object", "additionalProperties": {"type": "string"}},
            "either": {
                "oneOf": [
                    {"type": "object", "title": EVIL, "description": EVIL, "properties": {"k": {"const": EVIL}}},
                    {"type": "object", "title": EVIL, "properties": {"k": {"const": "b"}}},
                ]
            },
        },
        "required": [EVIL, "never"],
    }
    spec = {
        "title": EVIL,
        "description": EVIL,
        "schema": schema,
        "show": {EVIL: [EVIL, {EVIL: EVIL}]},
        "initial": {"long": EVIL, "map": {EVIL: EVIL}, "either": {"k": EVIL}},
        "actions": ["submit", "reject"],
        "choices": {"reject": {"label": EVIL, "confirm": EVIL}},
    }
    async with hosting(store, KEYED) as host:
        await host.ask(to=ALICE, spec=spec)
        path = link()
        shown = await host.http.get(path)
        form = Page(shown.text).hidden() | {"action": "submit", "v/long": EVIL, "v/pick": EVIL, "v/map/0?k": EVIL}
        wrong = await host.http.post(path, data=form | {"v/either": "0", "submission_id": "s", "v/map?n": "1"})
        assert (shown.status_code, wrong.status_code) == (200, 422)
        for reply in (shown, wrong):
            page = Page(reply.text)
            assert not {tag for tag, _ in page.elements} & {"script", "img"}
            assert not [name for _, one in page.elements for name in one if name.startswith("on")]
            assert page.words.count("alert(1)") >= 8
            assert len([tag for tag, _ in page.elements if tag == "main"]) == 1


async def test_a_link_that_is_opened_too_often_is_told_to_wait_and_its_person_is_not() -> None:
    async with hosting("memory:", ServerConfig(secret=SECRET, rate=0.01, burst=2)) as host:
        await host.ask(to=ALICE)
        path = link()
        statuses = [(await host.http.get(path)).status_code for _ in range(3)]
        assert statuses == [200, 200, 429]
        refused = await host.http.get(path)
        assert int(refused.headers["retry-after"]) >= 1
        assert_safe(refused)
        assert (await host.http.get(link())).status_code == 200
        assert (await host.http.get("/v1/inputs", headers=bearer("alice"))).status_code == 200


FILES = {
    "type": "object",
    "properties": {
        "receipt": AttachmentLimits(max_bytes=100, types=("image/*",)).schema,
        "others": {"type": "array", "items": AttachmentLimits(types=("text/plain",)).schema},
        "note": {"type": "string"},
    },
    "required": ["receipt"],
}


async def test_files_are_sent_with_the_form_and_kept_where_something_does_not_fit(store_url: str) -> None:
    async with hosting(store_url, KEYED) as host:
        await host.ask(spec={"schema": FILES}, to=ALICE, expose=True)
        path = link()
        page = await opened(host, path)
        form = next(attributes for tag, attributes in page.elements if tag == "form")
        assert form["enctype"] == "multipart/form-data"
        inputs = {a.get("name"): a for tag, a in page.elements if tag == "input" and a.get("type") == "file"}
        assert inputs["v/receipt?f"]["accept"] == "image/*"
        assert "multiple" in inputs["v/others?f"]
        sent = {**page.hidden(), "action": "submit", "v/note": "näher"}
        hostile = ("v/receipt?f", ("a.html", b"<script>", "text/html"))
        others = [("v/others?f", (f"{n}.txt", n.encode(), "text/plain")) for n in ("one", "two")]
        wrong = await host.http.post(path, data=sent, files=[hostile, *others])
        assert wrong.status_code == 422
        again = Page(wrong.text)
        assert "a.html: The request approve:0 takes files of image/*, text/plain, not text/html" in again.words
        assert_safe(wrong)
        kept = [str(a["value"]) for t, a in again.elements if t == "input" and a.get("name") == "v/others"]
        assert [orjson.loads(one)["name"] for one in kept] == ["one.txt", "two.txt"]
        scan = ("v/receipt?f", ("März.png", b"\x89PNG", "image/png"))
        body = {**again.hidden(), "action": "submit", "v/note": "näher", "v/others": kept[1:]}
        for _ in range(2):  # who loads the page anew is told the same
            done = await host.http.post(path, data=body, files=[scan])
            assert done.status_code == 200, done.text
        value = (await host.engine.inputs.get("r1", "approve:0"))["value"]
        assert (value["receipt"]["name"], value["receipt"]["type"], value["note"]) == ("März.png", "image/png", "näher")
        assert [one["name"] for one in value["others"]] == ["two.txt"]
        assert await host.engine.files.read("r1", value["receipt"]["stream"].rpartition("/")[2]) == b"\x89PNG"


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("multipart/form-data", b"--x\r\n"),
        ("multipart/form-data; boundary=x", b"no parts"),
        ("multipart/form-data; boundary=x", b'--x\r\ncontent-disposition: form-data; name="a"\r\n\r\nb'),
        ("multipart/form-data; boundary=x", b"--x\r\ncontent-disposition: form-data\r\n\r\nb\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x", b'--x\r\ncontent-disposition: a; name="\xff"\r\n\r\nb\r\n--x--\r\n'),
    ],
)
async def test_a_form_that_cannot_be_read_is_refused(kind: str, data: bytes) -> None:
    async with hosting(config=KEYED) as host:
        await host.ask(spec={"schema": FILES}, to=ALICE)
        refused = await host.http.post(link(), content=data, headers={"content-type": kind})
        assert refused.status_code == 400
        assert_safe(refused)

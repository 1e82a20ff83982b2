"""Files in the forms of signed links: posted twice at once, lost on the way, and references that nobody was given."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from signoff.errors import StreamConflict
from signoff.server.api import link_files
from signoff.server.api.link_files import FormFiles
from tests.server.api.test_answer_links import ALICE, FILES, Page, assert_safe, link, opened
from tests.server.hosting import KEYED, Host, hosting

ROUNDS = 8
SCAN = ("v/receipt?f", ("scan.png", b"\x89PNG", "image/png"))


async def form(host: Host) -> dict[str, Any]:
    return {**(await opened(host, link())).hidden(), "action": "submit"}


async def test_a_form_with_a_file_that_is_posted_twice_at_once_is_one_answer(store: str) -> None:
    async with hosting(store, KEYED) as host:
        for number in range(ROUNDS):
            if number == 0:
                await host.ask(spec={"schema": FILES}, to=ALICE, expose=True)
            else:
                await host.ask_again(spec={"schema": FILES}, to=ALICE, expose=True)
            body = await form(host)
            replies = await asyncio.gather(*(host.http.post(link(), data=body, files=[SCAN]) for _ in range(2)))
            assert [one.status_code for one in replies] == [200, 200], [Page(one.text).words for one in replies]
            row = await host.engine.inputs.get("r1", "approve:0")
            assert row["status"] == "answered"
            assert (
                await host.engine.files.read("r1", row["value"]["receipt"]["stream"].rpartition("/")[2]) == b"\x89PNG"
            )


async def test_whose_file_is_lost_to_another_sending_sees_the_form_again(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def overtaken(*_: Any) -> dict[str, Any]:
        raise StreamConflict("as if another sending of it went on and on")

    async with hosting(store, KEYED) as host:
        await host.ask(spec={"schema": FILES}, to=ALICE, expose=True)
        body = await form(host)
        with monkeypatch.context() as patched:
            patched.setattr(link_files, "_LOOKS", 1)
            patched.setattr(FormFiles, "_upload", overtaken)
            lost = await host.http.post(link(), data={**body, "v/note": "kept"}, files=[SCAN])
        assert lost.status_code == 422
        assert "scan.png: it was being sent twice at once" in Page(lost.text).words
        assert "another configuration" not in lost.text
        assert "kept" in lost.text
        assert_safe(lost)
        again = {**Page(lost.text).hidden(), "action": "submit"}
        assert (await host.http.post(link(), data=again, files=[SCAN])).status_code == 200


async def test_a_form_that_comes_late_to_what_it_has_answered_is_told_the_same(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosting(store, KEYED) as host:
        await host.ask(spec={"schema": FILES}, to=ALICE, expose=True)
        body, upload, first = await form(host), FormFiles._upload, list[httpx.Response]()

        async def overtaken(files: FormFiles, *sent: Any) -> dict[str, Any]:
            monkeypatch.setattr(FormFiles, "_upload", upload)
            first.append(await host.http.post(link(), data=body, files=[SCAN]))
            return await upload(files, *sent)

        monkeypatch.setattr(FormFiles, "_upload", overtaken)
        second = await host.http.post(link(), data=body, files=[SCAN])
        assert [first[0].status_code, second.status_code] == [200, 200], Page(second.text).words


@pytest.mark.parametrize("field", ["v/receipt", "v/others", "v/any", "v/list/0", "v/map/0"])
@pytest.mark.parametrize(
    "written",
    [
        r'{"stream":"\ud800"}',
        r'{"\ud800":1}',
        r'["\udfff"]',
        r'"\ud800"',
        '{"size":1e999}',
        '{"size":123456789012345678901234567890}',
        "[" * 2_000 + "]" * 2_000,
        '"' + "x" * 100_000 + '"',
    ],
)
async def test_json_that_nobody_was_given_is_told_at_its_field(field: str, written: str) -> None:
    anything: dict[str, Any] = {"type": ["array", "number"]}
    more = {
        "any": anything,
        "list": {"type": "array", "items": anything},
        "map": {"type": "object", "additionalProperties": anything},
    }
    schema: dict[str, Any] = {**FILES}
    schema["properties"] = {**schema["properties"], **more}
    async with hosting(config=KEYED) as host:
        await host.ask(spec={"schema": schema}, to=ALICE, expose=True)
        body = await form(host)
        extra = {"v/list?n": "1", field: written} | ({"v/map?n": "1", "v/map/0?k": "k"} if "map" in field else {})
        wrong = await host.http.post(link(), data={**body, **extra}, files=[] if field == "v/receipt" else [SCAN])
        assert wrong.status_code == 422, Page(wrong.text).words
        assert_safe(wrong)
        row = await host.engine.inputs.get("r1", "approve:0")
        assert row["status"] == "pending"

"""Live reads over HTTP: long-poll and Server-Sent Events, with clients that are slow, stuck or gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

from signoff.streams.live import EVENT_BYTES
from signoff.streams.stream import Payload
from tests.server.streams.scene import QUICK, events, problem, site, told
from tests.service.streams.scene import until

TEXT = {"content-type": "text/plain"}
JSON = {"content-type": "application/json"}
PATIENT = replace(QUICK, long_poll_s=10, keep_alive_s=10, max_age_s=20)


async def test_a_long_poll_waits_for_an_append() -> None:
    async with site(limits=PATIENT) as s:
        made = await s.web.put("/s", headers=JSON)
        at = made.headers["stream-next-offset"]
        poll = asyncio.create_task(s.web.get("/s", params={"offset": str(at), "live": "long-poll"}))
        await until(lambda: s.one.hub.watched == 1)
        await s.web.post("/s", headers=JSON, content=b"[1,2]")
        got = await poll
        assert (got.status_code, got.content) == (200, b"[1,2]")
        assert got.headers["stream-next-offset"] == "0000000000000002"
        assert got.headers["stream-cursor"].isdigit()
        assert s.one.hub.watched == 0


async def test_a_long_poll_ends_with_its_time_with_the_stream_and_with_its_deletion() -> None:
    async with site() as s:
        await s.web.put("/s", headers=TEXT)
        late = await s.web.get("/s", params={"offset": "now", "live": "long-poll"})
        assert late.status_code == 204
        assert late.headers["stream-up-to-date"] == "true"
        assert late.headers["cache-control"] == "no-store"
    async with site(limits=PATIENT) as s:
        for path in ("/a", "/b"):
            await s.web.put(path, headers=TEXT)
        polls = [
            asyncio.create_task(s.web.get(path, params={"offset": "now", "live": "long-poll"})) for path in ("/a", "/b")
        ]
        await until(lambda: s.one.hub.watched == 2)
        await s.web.post("/a", headers={"stream-closed": "true"})
        await s.web.delete("/b")
        closed, gone = await asyncio.gather(*polls)
        assert (closed.status_code, closed.headers["stream-closed"]) == (204, "true")
        assert "stream-cursor" not in closed.headers
        problem(gone, 404, "stream_not_found")


async def test_nobody_may_keep_what_was_news_to_somebody_else() -> None:
    async with site(limits=PATIENT) as s:
        await s.web.put("/s", headers=TEXT)
        poll = asyncio.create_task(s.web.get("/s", params={"offset": "now", "live": "long-poll"}))
        await until(lambda: s.one.hub.watched == 1)
        await s.web.post("/s", headers=TEXT, content=b"news")
        news = await poll
        assert (news.status_code, news.text) == (200, "news")
        assert news.headers["cache-control"] == "no-store"
        again = await s.web.get("/s", params={"offset": "0000000000000000", "live": "long-poll"})
        assert again.headers["cache-control"].startswith("public")


async def test_a_long_poll_whose_client_left_is_forgotten() -> None:
    async with site(limits=PATIENT) as s:
        await s.web.put("/s", headers=TEXT)
        _, writer = await asyncio.open_connection("127.0.0.1", s.port)
        writer.write(b"GET /v1/stream/s?offset=now&live=long-poll HTTP/1.1\r\nhost: x\r\n\r\n")
        await until(lambda: s.one.hub.watched == 1)
        writer.close()
        await until(lambda: s.one.hub.watched == 0)


async def test_sse_catches_up_follows_and_ends_with_the_stream() -> None:
    async with site(limits=PATIENT) as s:
        await s.web.put("/s", headers=JSON, content=b'["old"]')
        async with s.web.stream("GET", "/s", params={"offset": "-1", "live": "sse"}) as response:
            assert response.headers["content-type"] == "text/event-stream"
            assert response.headers["cache-control"] == "no-cache"
            found = events(response)
            data, said = await told(found)
            assert data == ['["old"]']
            assert said["upToDate"] is True
            await s.web.post("/s", headers=JSON, content=b'["new"]')
            data, said = await told(found)
            assert (data, said["streamNextOffset"]) == (['["new"]'], "0000000000000002")
            await s.web.post("/s", headers={**JSON, "stream-closed": "true"}, content=b'["last"]')
            data, said = await told(found)
            assert data == ['["last"]']
            assert said == {"streamNextOffset": "0000000000000003", "upToDate": True, "streamClosed": True}
            assert [event async for event in found] == []
        await until(lambda: s.one.hub.watched == 0)


async def test_sse_of_a_closed_stream_tells_so_at_once() -> None:
    async with site() as s:
        await s.web.put("/s", headers={**TEXT, "stream-closed": "true"}, content=b"all")
        for offset, expected in (("-1", ["all"]), ("now", [])):
            async with s.web.stream("GET", "/s", params={"offset": offset, "live": "sse"}) as response:
                data, said = await told(events(response))
                assert (data, said["streamClosed"]) == (expected, True)


async def test_sse_of_one_large_append_is_several_events() -> None:
    """So that no more of it is in memory than the client takes."""
    text = b"\n" * (2 * EVENT_BYTES) + b"end"

    async with site(limits=PATIENT) as s:
        await s.one.streams.create("s", Payload("text/plain", text, len(text)), closed=True)
        async with s.web.stream("GET", "/s?offset=-1&live=sse") as response:
            found = events(response)
            parts = [await told(found) for _ in range(3)]
        assert "".join("".join(data) for data, _ in parts) == text.decode()
        ends = [f"{end:016d}" for end in (EVENT_BYTES, 2 * EVENT_BYTES, len(text))]
        assert [said["streamNextOffset"] for _, said in parts] == ends
        assert ["upToDate" in said for _, said in parts] == ["streamClosed" in said for _, said in parts]
        assert ["upToDate" in said for _, said in parts] == [False, False, True]


async def test_sse_in_chunks_from_within_an_append() -> None:
    async with site(limits=replace(PATIENT, chunk=4)) as s:
        await s.web.put("/s", headers=JSON, content=b"[1,2,3]")
        await s.web.post("/s", headers=JSON, content=b"[4,5,6]")
        async with s.web.stream("GET", "/s?offset=0000000000000001&live=sse") as response:
            found = events(response)
            first, middle = await told(found)
            assert first == ["[2,3]"]
            assert "upToDate" not in middle
            second, last = await told(found)
            assert second == ["[4,5,6]"]
            assert last["upToDate"] is True


async def test_silence_is_broken_by_comments_and_age_ends_the_connection() -> None:
    limits = replace(QUICK, keep_alive_s=0.02, max_age_s=0.2)
    async with site(limits=limits) as s:
        await s.web.put("/s", headers=TEXT)
        async with s.web.stream("GET", "/s", params={"offset": "now", "live": "sse"}) as response:
            found = [event async for event in events(response)]
        assert found[0][0] == "control"
        assert found.count(("", "")) >= 3
        assert s.one.hub.watched == 0


async def test_deleting_ends_live_readers() -> None:
    async with site(limits=PATIENT) as s:
        await s.web.put("/s", headers=TEXT)
        async with s.web.stream("GET", "/s", params={"offset": "now", "live": "sse"}) as response:
            found = events(response)
            await told(found)
            await s.web.delete("/s")
            assert [event async for event in found] == []


async def test_a_reader_that_vanishes_is_cleaned_up() -> None:
    async with site(limits=PATIENT) as s:
        await s.web.put("/s", headers=TEXT)
        writers = []
        for _ in range(20):
            reader, writer = await asyncio.open_connection("127.0.0.1", s.port)
            writer.write(b"GET /v1/stream/s?offset=now&live=sse HTTP/1.1\r\nhost: x\r\n\r\n")
            await reader.readuntil(b"event: control")
            writers.append(writer)
        for writer in writers:
            writer.close()
        await until(lambda: s.one.hub.watched == 0)
        assert (await s.web.post("/s", headers=TEXT, content=b"x")).status_code == 204


async def test_a_reader_that_does_not_read_costs_nothing_and_holds_nobody_back() -> None:
    """One client stops reading while 16 MiB are appended; another follows live; then the first catches up."""
    block = 64 * 1024
    count = 256

    async with site(limits=replace(PATIENT, chunk=1 << 20, max_age_s=60)) as s:
        await s.web.put("/s", headers=TEXT)
        reader, writer = await asyncio.open_connection("127.0.0.1", s.port, limit=1 << 16)
        writer.write(b"GET /v1/stream/s?offset=now&live=sse HTTP/1.1\r\nhost: x\r\n\r\n")
        await reader.readuntil(b"event: control")
        async with s.web.stream("GET", "/s", params={"offset": "now", "live": "sse"}) as response:
            found = events(response)
            await told(found)
            seen = 0
            for n in range(count):
                await s.web.post("/s", headers=TEXT, content=bytes([97 + n % 26]) * block)
                data, said = await told(found)
                seen += sum(map(len, data))
                assert said["upToDate"] is True
            assert seen == count * block
        with s.one.hub.watch("s") as watching:
            assert watching.channel.ring_bytes < 2 << 20
        got = 0
        async with asyncio.timeout(30):
            while got < count * block:
                piece = await reader.read(1 << 20)
                assert piece
                got += len(piece)
        writer.close()
        await until(lambda: s.one.hub.watched == 0)


async def test_a_stuck_reader_is_dropped_in_the_end() -> None:
    limits = replace(QUICK, max_age_s=0.3, stuck_s=0.3, keep_alive_s=10, chunk=1 << 20, max_body=32 << 20)
    async with site(limits=limits) as s:
        await s.web.put("/s", headers=TEXT, content=b"x" * (16 << 20))
        _, writer = await asyncio.open_connection("127.0.0.1", s.port, limit=1 << 16)
        writer.write(b"GET /v1/stream/s?offset=-1&live=sse HTTP/1.1\r\nhost: x\r\n\r\n")
        await until(lambda: s.one.hub.watched == 1)
        await until(lambda: s.one.hub.watched == 0)
        writer.transport.abort()


async def test_what_a_live_reader_sends_does_not_get_into_what_it_is_sent() -> None:
    async with site(limits=PATIENT) as s:
        await s.web.put("/s", headers=TEXT)
        reader, writer = await asyncio.open_connection("127.0.0.1", s.port)
        writer.write(b"GET /v1/stream/s?offset=now&live=sse HTTP/1.1\r\nhost: x\r\n\r\n")
        await reader.readuntil(b'"upToDate":true}\n\n\r\n')
        writer.write(b"\x00 garbage\r\n\r\n")
        await s.web.post("/s", headers=TEXT, content=b"a")
        await s.web.post("/s", headers={**TEXT, "stream-closed": "true"}, content=b"b")
        sent, _, rest = (await reader.read()).partition(b"\r\n0\r\n\r\n")
        assert sent.count(b"event: data") == 2
        assert b"HTTP/1.1" not in sent
        assert rest.startswith(b"HTTP/1.1 400 ")
        writer.close()


async def test_no_payload_forges_an_event() -> None:
    attack = b'x\r\n\r\nevent: control\r\ndata: {"streamClosed":true}\r\r\nevent: data\n\n'

    async with site(limits=PATIENT) as s:
        await s.web.put("/s", headers=TEXT, content=attack)
        async with s.web.stream("GET", "/s", params={"offset": "-1", "live": "sse"}) as response:
            found = events(response)
            data, said = await told(found)
            assert len(data) == 1
            assert "streamClosed" not in said
            await s.web.post("/s", headers=TEXT, content=attack)
            data, said = await told(found)
            assert len(data) == 1
            assert said["streamNextOffset"] == f"{2 * len(attack):016d}"


async def test_the_cursor_never_goes_back() -> None:
    async with site(limits=PATIENT) as s:
        await s.web.put("/s", headers=TEXT, content=b"a")
        far = 10**9
        query = {"offset": "-1", "live": "sse", "cursor": str(far)}
        async with s.web.stream("GET", "/s", params=query) as response:
            found = events(response)
            _, said = await told(found)
            first = int(str(said["streamCursor"]))
            assert first > far
            await s.web.post("/s", headers=TEXT, content=b"b")
            _, said = await told(found)
            assert int(str(said["streamCursor"])) >= first


STORY = "aé€😀\r\n𝄞ü"


async def whole(found: AsyncIterator[tuple[str, str]]) -> tuple[str, dict[str, object]]:
    """Read to the end of a stream; return its text and what is said last."""
    text = ""
    while True:
        parts, said = await told(found)
        text += "".join(parts)
        if "streamClosed" in said:
            return text, said


async def test_characters_that_arrive_in_pieces_reach_readers_whole() -> None:
    """Text that a language model makes is cut anywhere; so the readers of one stream get it all the same."""
    data = STORY.encode()

    async with site(limits=replace(PATIENT, chunk=4)) as s:
        await s.web.put("/s", headers=TEXT)
        async with (
            s.web.stream("GET", "/s?offset=-1&live=sse") as early,
            s.web.stream("GET", "/s?offset=-1&live=sse") as other,
        ):
            found, others = events(early), events(other)
            assert (await told(found))[1]["streamNextOffset"] == f"{0:016d}"
            for n in range(len(data)):
                await s.one.streams.append("s", Payload("text/plain", data[n : n + 1], 1))
            await s.one.streams.close("s")
            for reader in (found, others):
                text, said = await whole(reader)
                assert text == STORY.replace("\r\n", "\n\n")
                assert said == {"streamNextOffset": f"{len(data):016d}", "upToDate": True, "streamClosed": True}
        async with s.web.stream("GET", "/s?offset=-1&live=sse") as late:
            assert (await whole(events(late)))[0].replace("\n\n", "\n") == STORY.replace("\r\n", "\n")
        assert (await s.web.get("/s?offset=-1")).content == data[:4]


async def test_a_reader_is_told_a_position_before_what_it_does_not_have() -> None:
    async with site(limits=PATIENT) as s:
        await s.web.put("/s", headers=TEXT)
        async with s.web.stream("GET", "/s?offset=-1&live=sse") as response:
            found = events(response)
            await told(found)
            await s.web.post("/s", headers=TEXT, content=b"a\xe2\x82")
            data, said = await told(found)
            assert (data, said["streamNextOffset"], said["upToDate"]) == (["a"], f"{1:016d}", True)
        at = said["streamNextOffset"]
        async with s.web.stream("GET", f"/s?offset={at}&live=sse") as response:
            found = events(response)
            data, said = await told(found)
            assert (data, said["streamNextOffset"], said["upToDate"]) == ([], f"{1:016d}", True)
            poll = await s.web.get("/s", params={"offset": str(at), "live": "long-poll"})
            assert (poll.content, poll.headers["stream-next-offset"]) == (b"\xe2\x82", f"{3:016d}")
            await s.web.post("/s", headers=TEXT, content=b"\xac!\xc3")
            data, said = await told(found)
            assert (data, said["streamNextOffset"]) == (["€!"], f"{5:016d}")
            await s.web.post("/s", headers={"stream-closed": "true"})
            data, said = await told(found)
            assert (data, said["streamNextOffset"], said["streamClosed"]) == (["\ufffd"], f"{6:016d}", True)


async def test_a_reader_within_a_character_does_not_disturb_others() -> None:
    async with site(limits=PATIENT) as s:
        await s.web.put("/s", headers=TEXT, content=b"\xf0\x9f")
        async with (
            s.web.stream("GET", f"/s?offset={1:016d}&live=sse") as within,
            s.web.stream("GET", "/s?offset=-1&live=sse") as before,
        ):
            odd, found = events(within), events(before)
            assert (await told(odd))[0] == ["\ufffd"]
            assert (await told(found))[0] == []
            for piece in (b"\x98", b"\x80", b"!"):
                await s.web.post("/s", headers=TEXT, content=piece)
            await s.web.post("/s", headers={"stream-closed": "true"})
            assert (await whole(found))[0] == "😀!"
            assert (await whole(odd))[0].endswith("!")

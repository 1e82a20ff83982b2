from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from signoff import errors
from signoff.client import SignoffClient, from_problem
from signoff.workflow.entry import Error
from signoff.workflow.run.entries import RunCompleted, RunFailed, RunTerminated
from tests.server.hosting import KEYED, Host, bearer, hosting


@asynccontextmanager
async def client_of(host: Host) -> AsyncIterator[SignoffClient]:
    async with SignoffClient(host.url) as client:
        yield client


async def test_every_operation() -> None:
    async with hosting() as host, client_of(host) as client:
        started = await client.start("expense", {"amount": 7}, run_id="r1", tags=["eu"])
        assert started["run"]["tags"] == ["eu"]
        later = await client.start("expense", start_at=datetime(2100, 1, 1, tzinfo=UTC))
        assert later["run"]["id"] != "r1"
        row = await host.ask("r2")
        assert (await client.get("r2"))["inputs"] == [row]
        assert len((await client.list(workflow="expense", limit=2))["runs"]) == 2
        assert (await client.inputs(audience="group:finance"))["inputs"] == [row]
        assert (await client.input("r2", "approve:0"))["input"] == row
        accepted = await client.answer(
            "r2",
            "approve:0",
            submission_id="s1",
            action="submit",
            value={"approved": True},
            seen_offset=row["revised"],
            asked_at=row["asked_at"],
        )
        assert accepted["txid"] == "s1"
        assert await client.send("r2", "paid", id="e1", payload=1) == {"accepted": True, "duplicate": False}
        assert await client.emit("paid", id="e1") == {"delivered": 0}
        with pytest.raises(errors.NotBlocked, match="only a blocked or a failed one"):
            await client.retry("r2")
        assert (await client.cancel("r2", "enough"))["run"]["id"] == "r2"
        types = [entry["type"] for entry in (await client.history("r2"))["entries"]]
        assert types[-1] == "run.cancel_requested"


async def test_one_text_is_no_list_of_its_letters() -> None:
    async with SignoffClient("http://127.0.0.1:1") as client:  # nobody is there to be asked
        moment = datetime(2000, 1, 1, tzinfo=UTC)
        for called, name in (
            (client.start("expense", tags="eu"), "tags"),
            (client.prune(moment, status="completed"), "status"),
            (client.prune(moment, tags="eu"), "tags"),
            (client.prune(moment, runs="r1"), "runs"),
            (client.mint_link("r1", "approve:0", "user:alice", actions="approve"), "actions"),
        ):
            with pytest.raises(TypeError, match=f"`{name}` is a list of texts, e.g. "):
                await called


async def test_refusals_come_as_the_exceptions_they_were() -> None:
    async with hosting() as host, client_of(host) as client:
        row = await host.ask("r1")
        with pytest.raises(errors.RunNotFound):
            await client.get("r9")
        with pytest.raises(errors.RunConflict):
            await client.start("travel", run_id="r1")
        with pytest.raises(errors.BadRequest, match="/workflow"):
            await client.start("a b")
        with pytest.raises(errors.BadRequest, match="JSON"):
            await client.start("expense", {"a", "set"})
        with pytest.raises(errors.InvalidName):
            await client.get("..")
        with pytest.raises(errors.InvalidAnswer) as caught:
            await client.answer(
                "r1", "approve:0", submission_id="s", action="submit", value={}, seen_offset=row["revised"]
            )
        assert caught.value.extra["errors"][0]["pointer"] == "/approved"
        good = {"submission_id": "s", "action": "submit", "value": {"approved": True}, "seen_offset": row["revised"]}
        with pytest.raises(errors.Stale, match="is another one now"):
            await client.answer("r1", "approve:0", **good, asked_at="2026-01-01T00:00:00.000Z")


def test_every_code_has_its_class() -> None:
    def tree(kind: type[errors.SignoffError]) -> list[type[errors.SignoffError]]:
        return [kind, *(below for child in kind.__subclasses__() for below in tree(child))]

    kinds = [kind for kind in tree(errors.SignoffError) if kind.__module__ == "signoff.errors"]
    assert len({kind.code for kind in kinds}) == len(kinds)
    for kind in kinds:
        body = f'{{"code": "{kind.code}", "detail": "words", "status": 1, "row": {{"id": "a"}}, "self": 1}}'
        error = from_problem(kind.status, body.encode())
        assert type(error) is kind
        assert (error.detail, error.extra) == ("words", {"row": {"id": "a"}, "self": 1})


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (409, b'{"code": "from_the_future", "detail": "x"}', errors.Conflict409),
        (502, b"<html>bad gateway</html>", errors.SignoffError),
        (404, b"[]", errors.NotFound),
        (503, b"", errors.StoreError),
    ],
)
def test_what_is_not_known_gets_the_class_of_its_status(
    status: int, body: bytes, kind: type[errors.SignoffError]
) -> None:
    assert type(from_problem(status, body)) is kind


def test_what_another_application_says_is_no_reason() -> None:
    error = from_problem(404, b'{"detail": "Not Found"}')
    assert type(error) is errors.NotFound
    assert error.detail == "The server answered 404 without saying why; does its address lead to Signoff?"


async def test_nobody_there_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with SignoffClient(f"http://127.0.0.1:{port}") as client:
        with pytest.raises(errors.ServerUnreachable, match=str(port)):
            await client.list()
        with pytest.raises(errors.ServerUnreachable):
            await anext(client.tail("runs/r1"))


async def test_tokens_are_asked_for_each_time() -> None:
    async with hosting(config=KEYED) as host:
        given: list[str | None] = [None, bearer("alice", "run:start:*")["authorization"].removeprefix("Bearer ")]

        async def token() -> str | None:
            return given.pop(0)

        async with SignoffClient(host.url, token=token) as client:
            with pytest.raises(errors.Unauthorized):
                await client.start("expense")
            assert (await client.start("expense"))["run"]["workflow"] == "expense"


async def test_a_stream_is_followed_until_it_is_closed() -> None:
    async with hosting() as host, client_of(host) as client:
        await host.ask("r1")
        seen = []
        async for batch in client.tail("runs/r1"):
            seen += [(m["type"], m["value"]["status"]) for m in batch.messages]
            if seen[-1] == ("run", "waiting"):
                await host.record("r1", RunCompleted(at=host.engine.clock.now_ms(), output=None))
        assert seen[0] == ("run", "running")
        assert seen[-1] == ("run", "completed")
        again = [batch async for batch in client.tail("runs/r1", follow=False)]
        assert sum(len(batch.messages) for batch in again) == len(seen)
        assert [batch async for batch in client.tail("runs/r1", offset=again[-1].offset)] == []
        with pytest.raises(errors.StreamNotFound):
            await anext(client.tail("runs/r9"))


async def test_following_ends_when_the_run_fails_unless_told_otherwise() -> None:
    async with hosting() as host, client_of(host) as client, asyncio.timeout(20):
        await host.engine.runs.start("expense", run_id="r1")
        seen = []
        async for batch in client.tail("runs/r1"):
            seen += [message["value"]["status"] for message in batch.messages]
            if seen == ["running"]:
                await host.record("r1", RunFailed(host.engine.clock.now_ms(), Error("value_error", "no")))
        assert seen == ["running", "failed"]
        # Whoever comes later, and wherever they begin, learns that it is over.
        assert [batch async for batch in client.tail("runs/r1", offset="now")] == []
        assert len([batch async for batch in client.tail("runs/r1", offset="-1")]) == 1

        def more() -> RunTerminated:
            return RunTerminated(host.engine.clock.now_ms())

        async for batch in client.tail("runs/r1", past_failure=True):
            seen += [message["value"]["status"] for message in batch.messages]
            if seen[-1] == "failed":
                await host.record("r1", more())
        assert seen[-2:] == ["failed", "cancelled"]


async def test_a_failure_further_back_does_not_end_it() -> None:
    async with hosting() as host, client_of(host) as client, asyncio.timeout(20):
        await host.engine.runs.start("expense", run_id="r1")
        await host.record("r1", RunFailed(host.engine.clock.now_ms(), Error("value_error", "no")))
        await host.record("r1", RunTerminated(host.engine.clock.now_ms()))
        statuses = [message["value"]["status"] async for batch in client.tail("runs/r1") for message in batch.messages]
        assert statuses == ["running", "failed", "cancelled"]


async def test_a_result_is_waited_for_and_what_happened_instead_is_raised() -> None:
    async with hosting() as host, client_of(host) as client, asyncio.timeout(20):
        for run_id in ("r1", "r2", "r3", "r4"):
            await client.start("expense", run_id=run_id)
        told: list[str] = []
        with pytest.raises(TimeoutError, match="goes on"):
            await client.result("r1", timeout=0.05, watch=lambda row: told.append(row["status"]))
        assert told[0] == "running"
        waiting = asyncio.create_task(client.result("r1", timeout=15))
        while not host.engine.hub.watched:
            await asyncio.sleep(0.001)
        await host.record("r1", RunCompleted(host.engine.clock.now_ms(), {"n": 7}))
        assert await waiting == {"n": 7}
        await host.record("r2", RunFailed(host.engine.clock.now_ms(), Error("value_error", "no", "ValueError")))
        with pytest.raises(errors.FailedRun, match="no") as failed:
            await client.result("r2")
        assert failed.value.extra["error"]["code"] == "value_error"
        assert (await client.terminate("r3", "stuck"))["run"]["status"] == "cancelled"
        with pytest.raises(errors.CancelledRun, match="terminated"):
            await client.result("r3")
        with pytest.raises(errors.RunNotFound):
            await client.result("nowhere")
        assert (await client.outcome("r4"))["run"]["status"] == "running"


async def test_an_output_that_may_not_be_seen_is_refused() -> None:
    async with hosting(config=KEYED) as host:
        await host.engine.runs.start("expense", run_id="r1")
        await host.record("r1", RunCompleted(host.engine.clock.now_ms(), "hidden"))
        token = bearer("rita", "run:read:*")["authorization"].removeprefix("Bearer ")
        async with SignoffClient(host.url, token=token) as client:
            with pytest.raises(errors.Forbidden, match="not exposed"):
                await client.result("r1", timeout=5)


async def test_a_result_is_waited_for_across_a_restart(shared_url: str) -> None:
    async with Relay() as relay, SignoffClient(f"http://127.0.0.1:{relay.port}") as client, asyncio.timeout(30):
        async with hosting(shared_url) as first:
            relay.to(first)
            await first.engine.runs.start("expense", run_id="r1")
            told = asyncio.Event()
            waiting = asyncio.create_task(client.result("r1", watch=lambda _: told.set()))
            while not first.engine.hub.watched:
                await asyncio.sleep(0.001)
        await told.wait()  # the server that ended said that the run goes on
        async with hosting(shared_url) as second:
            relay.to(second)
            await second.record("r1", RunCompleted(second.engine.clock.now_ms(), 7))
            assert await waiting == 7


async def test_a_stream_of_text_is_followed() -> None:
    async with hosting() as host, client_of(host) as client:
        path, headers = "/v1/stream/chat/1", {"content-type": "text/plain"}
        assert (await host.http.put(path, content="hello\n", headers=headers)).status_code == 201
        seen = ""
        async for batch in client.tail("chat/1"):
            seen += "".join(batch.messages)
            if seen == "hello\n":
                closing = {**headers, "stream-closed": "true"}
                await host.http.post(path, content="bye", headers=closing)
        assert seen == "hello\nbye"


async def test_a_lost_connection_loses_and_doubles_nothing(shared_url: str) -> None:
    seen: list[str] = []
    async with Relay() as relay, SignoffClient(f"http://127.0.0.1:{relay.port}") as client:

        async def follow() -> None:
            async for batch in client.tail("runs/r1"):
                seen.extend(f"{m['type']} {m['value']['status']}" for m in batch.messages)
                relay.news.set()

        async with hosting(shared_url) as first:
            relay.to(first)
            await first.engine.runs.start("expense", {"amount": 120}, run_id="r1")
            following = asyncio.create_task(follow())
            await relay.until(lambda: "run running" in seen)
        async with hosting(shared_url) as second:
            await second.ask("r1")
            await second.record("r1", RunCompleted(at=second.engine.clock.now_ms(), output=None))
            relay.to(second)
            async with asyncio.timeout(20):
                await following
    assert seen[0] == "run running"
    assert seen[-1] == "run completed"
    assert len(seen) == len(set(seen))


class Relay:
    """One address in front of servers that come and go."""

    def __init__(self) -> None:
        self.news = asyncio.Event()
        self._target: int | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Relay:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def to(self, host: Host) -> None:
        """Relay to this server from now on."""
        self._target = int(host.url.rsplit(":", 1)[1])

    async def until(self, true: object) -> None:
        """Wait until a condition holds."""
        assert callable(true)
        async with asyncio.timeout(20):
            while not true():
                self.news.clear()
                await self.news.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
            await asyncio.gather(_pump(reader, back), _pump(there, writer))
        except OSError:
            writer.close()


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65_536):
            target.write(data)
            await target.drain()
    except OSError:
        pass
    finally:
        target.close()

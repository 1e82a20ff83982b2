"""Talk to a Signoff server over HTTP: start runs, answer requests, send events, follow streams.

Each method is one call of the workflow API and returns the reply's JSON as it is; what the server refuses is raised as
the same exception the server raised. Asynchronous, because following a stream is.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import httpx

from signoff.client.addresses import segment, stream_address
from signoff.client.bodies import event_body, instant, output_of, texts
from signoff.client.files import FileCalls
from signoff.client.streams import StreamBatch, WatchedRun, catch_up
from signoff.client.streams import follow as follow_stream
from signoff.errors import SignoffError

_FIRST_DELAY_S = 0.2
_LONGEST_DELAY_S = 5.0
_AGAIN_S = 0.1  # seconds between two questions after a verdict, each of which the server answers late
_SLICE_S = 10.0  # seconds for which one request waits for the end of a run


class SignoffClient(FileCalls):
    """A client of a Signoff server.

    Args:
        url, token, timeout, transport: see `HttpCalls`.

    Raises (every method):
        ServerUnreachable: nobody answered.
        SignoffError: the subclass that belongs to the problem's `code`.

    Example:
        >>> async with SignoffClient("http://127.0.0.1:4437") as client:
        ...     started = await client.start("expense", {"amount": 120})
        ...     async for batch in client.tail(f"runs/{started['run']['id']}"):
        ...         print(batch.messages)
    """

    # -- runs ------------------------------------------------------------------------------------------------------

    async def start(
        self,
        workflow: str,
        input: Any = None,  # noqa: A002 - the field's name
        *,
        run_id: str | None = None,
        tags: Sequence[str] = (),
        start_at: datetime | None = None,
    ) -> dict[str, Any]:
        """Start a run; idempotent by `run_id`. Returns `{run, stream, offset}`.

        Args:
            workflow: its name.
            input: plain JSON.
            start_at: when the run shall begin; naive times are UTC.

        Raises:
            RunConflict: the id is taken by another workflow or input.
        """
        body: dict[str, Any] = {"workflow": workflow, "input": input, "tags": texts("tags", tags, "eu")}
        if run_id is not None:
            body["run_id"] = run_id
        if start_at is not None:
            body["start_at"] = instant(start_at)
        return await self._post("/v1/runs", body)

    async def get(self, run_id: str) -> dict[str, Any]:
        """Return `{run, inputs, stream}`: the run row and the rows of its pending requests."""
        return await self._get(f"/v1/runs/{segment(run_id)}")

    async def list(
        self,
        *,
        workflow: str | None = None,
        status: str | Sequence[str] = (),
        tag: str | Sequence[str] = (),
        started_by: str | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> dict[str, Any]:
        """Return `{runs, cursor}`, newest first.

        Args:
            workflow: only of this workflow.
            status: only with this status, or with any of these.
            tag: only with this tag, or with all of these.
            started_by: only what this person started, e.g. `user:alice`, or `me`.
            created_after, created_before: only what was started between these times; naive ones are UTC.
            cursor: of the page before.
            limit: runs on a page, 1 to 500.
        """
        query = {"workflow": workflow, "status": status, "tag": tag, "cursor": cursor, "limit": limit}
        query["started_by"] = started_by
        bounds = {"created_after": created_after, "created_before": created_before}
        return await self._get("/v1/runs", query | {name: time and instant(time) for name, time in bounds.items()})

    async def act(self, verb: str, run_id: str, /, **body: Any) -> dict[str, Any]:
        """Do something to a run: one of the verbs of §10.4, such as `cancel`, `terminate` or `retry`. Returns `{run}`.

        Args:
            verb: its name.
            body: what the verb takes, mostly `reason`.

        Raises:
            RunClosed, NotBlocked, …: what the verb refuses with; `extra["run"]` is the run's row.

        Example:
            >>> await client.act("terminate", "claim-1", reason="a duplicate")
        """
        given = {name: value for name, value in body.items() if value is not None}
        return await self._post(f"/v1/runs/{segment(run_id)}/{segment(verb)}", given)

    async def act_on(self, verb: str, run_id: str, key: str, /, **body: Any) -> dict[str, Any]:
        """Do something to a request for input: one of the verbs of §7.6, such as `withdraw`. Returns `{input}`.

        Args:
            verb: its name.
            run_id: the run that asked.
            key: `name:n` of the request.
            body: what the verb takes; None is null, and not the same as nothing.

        Raises:
            NotInAudience: it is not for you.
            AlreadyDecided, Expired, Withdrawn, …: what the verb refuses with; `extra["row"]` is the request's row.

        Example:
            >>> await client.act_on("withdraw", "claim-1", "approve:0", reason="asked by mistake")
        """
        return await self._post(f"/v1/runs/{segment(run_id)}/inputs/{segment(key)}/{segment(verb)}", body)

    async def cancel(self, run_id: str, reason: str | None = None) -> dict[str, Any]:
        """Ask a run to stop. Returns `{run}`.

        Raises:
            RunClosed: it has ended.
        """
        return await self.act("cancel", run_id, reason=reason)

    async def terminate(self, run_id: str, reason: str | None = None) -> dict[str, Any]:
        """End a run now, without running its code, whatever its state. Returns `{run}`.

        Raises:
            RunClosed: it is completed or cancelled.
        """
        return await self.act("terminate", run_id, reason=reason)

    async def outcome(self, run_id: str, *, wait: float = 0) -> dict[str, Any]:
        """Return `{run, output}` of a completed run, `{run}` of one that goes on after `wait` seconds.

        `output` is absent where the caller may not see it.

        Args:
            wait: for how many seconds to wait for its end, 30 at most.

        Raises:
            FailedRun, CancelledRun: it ended otherwise; `extra` has `run` and `error`.
        """
        path = f"/v1/runs/{segment(run_id)}/result"
        timeout = httpx.Timeout(self._http.timeout)
        timeout.read = None if timeout.read is None else timeout.read + wait
        return await self._call("GET", path, params={"wait": f"{wait:.3f}"}, timeout=timeout)

    async def result(
        self,
        run_id: str,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - it bounds requests, too
        watch: Callable[[dict[str, Any]], object] | None = None,
    ) -> Any:
        """Wait until a run has ended and return its output, across lost connections; a blocked run is waited for.

        Args:
            timeout: seconds to wait; None: for ever.
            watch: called with the run's row every ten seconds or so while the run goes on.

        Raises:
            FailedRun, CancelledRun: it ended otherwise; `extra` has `run` and `error`.
            Forbidden: it is completed, but its output is not exposed, and the caller is no operator.
            TimeoutError: it goes on.

        Example:
            >>> await client.result("claim-1", timeout=60)
            'paid'
        """
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        found = False
        while True:
            began = loop.time()
            wait = _SLICE_S if deadline is None else min(max(deadline - began, 0.0), _SLICE_S)
            try:
                reply = await self.outcome(run_id, wait=wait)
            except SignoffError as error:
                if not found or error.status < 500:
                    raise
            else:
                found = True
                if reply["run"]["status"] == "completed":
                    return output_of(reply)
                if watch is not None:
                    watch(reply["run"])
            if deadline is not None and loop.time() >= deadline:
                raise TimeoutError(f"The run {run_id!r} goes on after {timeout} s.")
            if loop.time() - began < wait:  # nobody answered, or the server is about to stop
                await asyncio.sleep(min(wait, _FIRST_DELAY_S))

    async def retry(self, run_id: str) -> dict[str, Any]:
        """Have a blocked run tried again, with the code that there is. Returns `{run}`.

        Raises:
            NotBlocked: it is not blocked; nothing was changed.
        """
        return await self.act("retry", run_id)

    async def history(self, run_id: str) -> dict[str, Any]:
        """Return `{run_id, entries}`: the journal."""
        return await self._get(f"/v1/runs/{segment(run_id)}/history")

    async def audit(self, run_id: str) -> bytes:
        """Return the evidence bundle of a run: a file to keep as it is, byte by byte.

        Raises:
            RunNotFound: there is no such run.
            JournalTooLong: it has more than is exported at once.

        Example:
            >>> Path("r1.evidence.json").write_bytes(await client.audit("r1"))
        """
        return await self._bytes("GET", f"/v1/runs/{segment(run_id)}/audit")

    async def prune(
        self,
        ended_before: datetime,
        *,
        status: Sequence[str] = ("completed", "cancelled"),
        workflow: str | None = None,
        tags: Sequence[str] = (),
        runs: Sequence[str] | None = None,
        cursor: str | None = None,
        limit: int = 100,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Delete runs that ended before a time. Returns `{runs, cursor}`: what was deleted, and where to go on.

        Args:
            ended_before: naive times are UTC.
            status: `completed`, `cancelled`, `failed`.
            runs: of these alone.
            limit: how many are looked at, 1 to 500.
            dry_run: tell what would be deleted, and delete nothing.
        """
        body: dict[str, Any] = {
            "ended_before": instant(ended_before),
            "status": texts("status", status, "completed"),
            "workflow": workflow,
            "tags": texts("tags", tags, "eu"),
            "limit": limit,
            "cursor": cursor,
            "dry_run": dry_run,
        }
        return await self._post("/v1/prune", body if runs is None else {**body, "runs": texts("runs", runs, "r1")})

    async def revoke_tokens(
        self,
        *,
        jti: str | None = None,
        link: str | None = None,
        sub: str | None = None,
        before: datetime | None = None,
        until: datetime | None = None,
    ) -> dict[str, Any]:
        """Have tokens, or a signed link, refused from now on, for operators. Returns `{revoked}`.

        Args:
            jti: of one token; or
            link: the id of a signed link; or
            sub: of all tokens this person has.
            before: with `sub`: what was issued later stays good; now if None. Naive times are UTC.
            until: when they have ended by themselves; None: the revocation is kept for good.
        """
        body: dict[str, Any] = {"jti": jti, "link": link, "sub": sub}
        body |= {name: time and instant(time) for name, time in (("before", before), ("until", until))}
        given = {name: value for name, value in body.items() if value is not None}
        return await self._post("/v1/tokens/revoke", given)

    async def targets(self) -> dict[str, Any]:
        """Return `{targets}`: who is told of requests, and how far they are, for operators."""
        return await self._get("/v1/notifications")

    async def add_target(
        self,
        id: str,  # noqa: A002
        url: str,
        *,
        secrets: Sequence[str] | None = None,
        workflows: Sequence[str] | None = None,
        events: Sequence[str] | None = None,
    ) -> dict[str, Any]:
        """Have a webhook told of requests. Returns `{target, secrets}`; its secrets are shown this once."""
        body = {"id": id, "url": url, "secrets": secrets, "workflows": workflows, "events": events}
        given = {name: value for name, value in body.items() if value is not None}
        return await self._post("/v1/notifications", given)

    async def act_on_target(self, verb: str, target: str, **body: Any) -> dict[str, Any]:
        """Do something to a target: `retry`, `skip`, `pause`, `resume`, `sign`, `remove`. Returns `{target, count}`."""
        return await self._post(f"/v1/notifications/{segment(target)}/{segment(verb)}", body)

    async def doctor(self) -> dict[str, Any]:
        """Return `{at, version, findings}`: what is wrong with the server's store and its runs, for operators."""
        return await self._get("/v1/doctor")

    # -- events ----------------------------------------------------------------------------------------------------

    async def send(
        self,
        run_id: str,
        topic: str,
        *,
        id: str,  # noqa: A002
        payload: Any = None,
        key: str | None = None,
    ) -> dict[str, Any]:
        """Send an event to one run, once per `id`. Returns `{accepted, duplicate}`."""
        path = f"/v1/runs/{segment(run_id)}/events/{segment(topic)}"
        return await self._post(path, event_body(id, payload, key))

    async def emit(self, topic: str, *, id: str, payload: Any = None, key: str | None = None) -> dict[str, Any]:  # noqa: A002
        """Send an event to every run that waits for the topic now. Returns `{delivered}`."""
        return await self._post(f"/v1/events/{segment(topic)}", event_body(id, payload, key))

    # -- inputs ----------------------------------------------------------------------------------------------------

    async def inputs(
        self,
        *,
        audience: str | None = None,
        status: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> dict[str, Any]:
        """Return `{inputs, cursor}`: requests (pending ones unless `status` says otherwise), newest first."""
        return await self._get("/v1/inputs", {"audience": audience, "status": status, "cursor": cursor, "limit": limit})

    async def approvals(
        self, *, by: str | None = None, cursor: str | None = None, limit: int | None = None
    ) -> dict[str, Any]:
        """Return `{approvals, cursor}`: those that were given for the next times too, also what is over or revoked."""
        return await self._get("/v1/approvals", {"by": by, "cursor": cursor, "limit": limit})

    async def input(self, run_id: str, key: str) -> dict[str, Any]:
        """Return `{input}`: one request's row."""
        return await self._get(f"/v1/runs/{segment(run_id)}/inputs/{segment(key)}")

    async def mint_link(
        self,
        run_id: str,
        key: str,
        to: str | Sequence[str],
        *,
        actions: Sequence[str] | None = None,
        expires_in: int | None = None,
        once: bool = False,
    ) -> dict[str, Any]:
        """Make a signed link to a request, to send to who is asked. Returns `{id, url, expires_at}`.

        Args:
            to: as whom its holder answers: `user:alice`, or that and the groups in whose name she was asked.
            actions: the only ones to be chosen with it; None: all that the request offers.
            expires_in: seconds until it ends; None: a week.
            once: take one answer through it alone.

        Raises:
            BadRequest: they were not asked, or an action is not offered; `extra["errors"]` tells where.
            AlreadyDecided, Expired, Withdrawn: the request is not pending; `extra["row"]` is its row.
            Forbidden: you lack the grant `run:link:{run_id}`.
        """
        body: dict[str, Any] = {"for": to if isinstance(to, str) else list(to), "once": once}
        if actions is not None:
            body["actions"] = texts("actions", actions, "approve")
        if expires_in is not None:
            body["expires_in"] = expires_in
        return await self._post(f"/v1/runs/{segment(run_id)}/inputs/{segment(key)}/links", body)

    async def answer(
        self,
        run_id: str,
        key: str,
        *,
        submission_id: str,
        action: str,
        value: Any,
        seen_offset: str,
        asked_at: str | None = None,
        wait_s: int | None = None,
    ) -> dict[str, Any]:
        """Answer a request, once per `submission_id`. Returns `{outcome, offset, txid, row}`.

        If the workflow's own code judges the answer, this waits for the verdict. Whoever gives up waiting takes nothing
        back: send the same again to learn what came of it.

        Args:
            submission_id: keep it when you try again, and a lost reply does no harm.
            seen_offset: the `revised` of the row the answer is about.
            asked_at: the `asked_at` of that row. With it the answer is refused as stale if another request stands there
                by now, of a run that has got the id of a deleted one; None: that is not looked at.
            wait_s: seconds to wait for the verdict, else the outcome is `validating`; None: however long it takes.

        Raises:
            InvalidAnswer: the value does not match, or the workflow refuses it; `extra["errors"]` tells where.
            BeingValidated: another answer is being judged; nothing was recorded.
            NotValidated: the code that judges it failed; nothing was recorded.
            Stale, AlreadyDecided, Expired, Withdrawn, RunClosed: `extra["row"]` is the request as it is now.
            NotInAudience: somebody else was asked.
        """
        path = f"/v1/runs/{segment(run_id)}/inputs/{segment(key)}/answer"
        body = {"submission_id": submission_id, "action": action, "value": value, "seen_offset": seen_offset}
        if asked_at is not None:
            body["asked_at"] = asked_at
        reply = await self._post(path, body, wait_s)
        while reply["outcome"] == "validating" and wait_s is None:
            await asyncio.sleep(_AGAIN_S)  # the server has waited as long as it does
            reply = await self._post(path, body, wait_s)
        return reply

    # -- streams ---------------------------------------------------------------------------------------------------

    async def tail(
        self, path: str, *, offset: str = "-1", follow: bool = True, past_failure: bool = False
    ) -> AsyncIterator[StreamBatch]:
        """Read a stream from `offset`, and go on as it grows, across lost connections, until it is closed.

        The stream of a run that has failed stays open, since such a run can be taken up again. Reading ends with the
        failure all the same, unless you say otherwise.

        Args:
            path: below the stream root, e.g. `runs/r1`.
            offset: `-1` for the start, `now` for what comes, or a `StreamBatch.offset`.
            follow: False: end with what is there now.
            past_failure: go on with a run that has failed.

        Raises:
            StreamNotFound: there is no such stream.
        """
        url = stream_address(path)
        run = WatchedRun.of(path) if follow and not past_failure else None
        delay = _FIRST_DELAY_S
        found = False
        while True:
            try:
                reading = follow_stream if follow else catch_up
                async for batch in reading(self._open, url, offset):
                    offset, delay, found = batch.offset, _FIRST_DELAY_S, True
                    if batch.messages:
                        yield batch
                    if batch.closed or (run is not None and await run.has_failed(batch, self.get)):
                        return
            except SignoffError as error:
                # What was there once may come back; what never was is told at once.
                if not found or not follow or error.status < 500:
                    raise
            if not follow:
                return
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311 - spreads reconnects, no secret
            delay = min(delay * 2, _LONGEST_DELAY_S)

    async def on_stream(
        self,
        method: str,
        path: str,
        *,
        content: bytes = b"",
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Send one Durable Streams request; return the response with its body.

        Args:
            method: `PUT`, `POST`, `GET`, `HEAD` or `DELETE`.
            path: of the stream, below the stream root.
            headers: of the protocol, such as `Stream-TTL`.
        """
        how = {"content": content, "headers": dict(headers or {}), "params": dict(query or {})}
        response = await self._open(method, stream_address(path), **how)
        try:
            await response.aread()
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        return response

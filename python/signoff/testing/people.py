"""Scripted people: they see what they are asked, answer at once or by a script, and do what people do wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from signoff.clock import Alarm
from signoff.errors import SignoffError
from signoff.names import check_texts, is_principal
from signoff.testing.acts import AnswerAct, Asked, NeverAct, PersonAct, VerbAct
from signoff.testing.acts import answer as answer_act
from signoff.testing.board import SeenRequest
from signoff.testing.stage import Stage
from signoff.workflow import codec
from signoff.workflow.durations import Duration, duration_ms
from signoff.workflow.entry import DecidedBy
from signoff.workflow.input.attachment import Attachment
from signoff.workflow.input.decide import Accepted, Who
from signoff.workflow.input.submission import AnswerRequest


class PersonScript:
    """What a person will do about the next request of a name, and what came of it.

    Attributes:
        acts: what they will do, one after the other.
        done: they have done it.
    """

    def __init__(self, person: Person, acts: Sequence[PersonAct], after_ms: int) -> None:
        self.acts = acts
        self.done = False
        self._person = person
        self._after_ms = after_ms
        self._taken = False
        self._alarm: Alarm | None = None
        self._task: asyncio.Task[Any] | None = None
        self._told = False

    async def outcome(self) -> Any:
        """Wait for it, and return what came of the last act: `Accepted` for an answer, a list if it was given twice.

        Raises:
            SignoffError: it was refused.
            Stuck: nobody asks.
        """
        self._told = True
        stage = self._person.stage

        async def look() -> bool | None:
            return True if self.done else None

        async def why() -> str:
            return f"{self._person.name} still waits to be asked {_name(self.acts[0].request)!r}."

        await stage.time.until(look, why)
        return None if self._task is None else self._task.result()

    def offer(self, request: SeenRequest) -> bool:
        """Take a request, if it is the one; tell whether it was taken."""
        meant = not self._taken and _is_meant(self.acts[0].request, request)
        if not meant or not self._person.is_asked(request):
            return False
        self._taken = True
        if all(isinstance(act, NeverAct) for act in self.acts):
            self.done = True
            return True
        clock = self._person.stage.time.clock
        self._alarm = clock.call_later(self._after_ms / 1000, lambda: self._begin(request))
        return True

    def _begin(self, request: SeenRequest) -> None:
        self._task = asyncio.get_running_loop().create_task(self._act(request))
        self._task.add_done_callback(partial(self._end, request))

    async def _act(self, request: SeenRequest) -> Any:
        outcome = None
        for act in self.acts:
            outcome = await self._person.perform(act, request)
        return outcome

    def _end(self, request: SeenRequest, task: asyncio.Task[Any]) -> None:
        self.done = True
        if not task.cancelled() and task.exception() is not None:
            self._person.failed(request)

    async def close(self) -> Exception | None:
        """End it; return a refusal that nobody has asked for."""
        if self._alarm is not None:
            self._alarm.cancel()
        if self._task is None:
            return None
        self._task.cancel()
        await asyncio.wait([self._task])
        if self._told or self._task.cancelled():
            return None
        error = self._task.exception()
        if not isinstance(error, Exception):
            return None
        error.add_note(f"This is what {self._person.name} got for {self.acts}; `await script.outcome()` expects it.")
        return error


class Person:
    """Somebody who is asked, as `TestEngine.person` makes them.

    Example:
        >>> alice = engine.person("user:alice", groups=["finance"])
        >>> await alice.answers("approve", {"approved": True})
    """

    def __init__(self, stage: Stage, name: str, groups: Iterable[str] = (), *, operator: bool = False) -> None:
        check_texts(groups, "`groups` of a person", 'groups=["finance"]')
        if not operator and not is_principal(name):
            name = f"user:{name}"
        self.name = name
        self.stage = stage
        if operator:
            self.who = Who(frozenset(), DecidedBy("operator", name), operator=True)
        else:
            of_groups = {group if is_principal(group) else f"group:{group}" for group in groups}
            self.who = Who(frozenset({name, *of_groups}), DecidedBy("person", name))
        self._scripts: list[PersonScript] = []
        self._scripted: set[tuple[str, str]] = set()
        stage.board.listen(self._hear)

    def inbox(self) -> list[SeenRequest]:
        """Return what is pending and asked of this person and their groups; of operators: all. The oldest first."""
        return [request for request in self.stage.board.pending() if self.is_asked(request)]

    def is_asked(self, request: SeenRequest) -> bool:
        """Tell whether a request is for this person; to operators, all are."""
        return self.who.operator or request.asks(self.who.principals)

    async def sees(self, request: str, *, run: str | None = None) -> SeenRequest:
        """Wait until a request is pending, and return what it looks like; it may be one that others were asked.

        Args:
            request: its name, or its key.
            run: the id of the run that asks; None: any.

        Raises:
            Stuck: nobody asks.
            ValueError: several runs ask this.
        """

        async def look() -> SeenRequest | None:
            found = self._find(request, run)
            if found is None:
                await self.stage.check_lives(run)
            return found

        async def why() -> str:
            return f"Nobody asks {request!r}: {await self.stage.situation()}"

        return await self.stage.time.until(look, why)

    async def answers(
        self,
        request: Asked,
        value: Any = None,
        *,
        action: str | None = None,
        submission_id: str | None = None,
        run: str | None = None,
    ) -> Accepted:
        """Answer a request, once it is asked; no time passes if it is asked already.

        Args:
            request: its name, its key, or what `sees` has returned: then as it was seen.
            value: plain JSON, or an object of the type that is asked for.
            action: one that is offered; the first one if None.
            submission_id: a new one if None; one that was used before is a retry.
            run: the id of the run that asks; None: any.

        Raises:
            SignoffError: what `service.inputs.Inputs.answer` refuses with, e.g. `Stale`, `AlreadyDecided`.
            Stuck: nobody asks.

        Example:
            >>> accepted = await alice.answers("approve", {"approved": True})
            >>> accepted.row["decided_by"]
            {'kind': 'person', 'id': 'user:alice'}
        """
        accepted: Accepted = await self.does(
            answer_act(request, value, action=action, submission_id=submission_id), run=run
        )
        return accepted

    async def attaches(
        self,
        request: Asked,
        data: bytes,
        *,
        name: str = "file",
        type: str = "application/octet-stream",  # noqa: A002 - the member's name
        run: str | None = None,
    ) -> Attachment:
        """Send a file for an answer to a request, once it is asked; return what the answer refers to it by.

        Args:
            request: its name, its key, or what `sees` has returned.
            data: the bytes.
            name: of the file.
            type: its media type.
            run: the id of the run that asks; None: any.

        Raises:
            SignoffError: what `service.files.Files.upload` refuses with, e.g. `PayloadTooLarge`.
            Stuck: nobody asks.

        Example:
            >>> receipt = await alice.attaches("claim", b"...", name="receipt.png", type="image/png")
            >>> await alice.answers("claim", {"receipt": receipt})
        """
        seen = await self.sees(request, run=run) if isinstance(request, str) else request
        return await self.stage.attach(seen, data, self.who, name=name, type_=type)

    async def do(self, verb: str, request: Asked, *, run: str | None = None, **body: Any) -> Any:
        """Do something else about a request, once it is asked, e.g. `claim`: what HTTP does by the same name.

        Args:
            verb: its name.
            request: its name, its key, or what `sees` has returned.
            run: the id of the run that asks; None: any.
            body: what the verb takes.

        Returns:
            its row then.

        Raises:
            ValueError: there is no such verb.
            SignoffError: what the verb refuses with.
            Stuck: nobody asks.
        """
        return await self.does(VerbAct(request, verb, body), run=run)

    async def does(self, act: PersonAct, *, run: str | None = None) -> Any:
        """Do at once what could be said beforehand; return what came of it.

        Args:
            act: e.g. `twice(answer("approve", True))`, whose outcome is a list: of what was accepted or refused.
            run: the id of the run that asks; None: any.

        Raises:
            SignoffError: it was refused.
            Stuck: nobody asks.
        """
        request = act.request
        seen = await self.sees(request, run=run) if isinstance(request, str) else request

        async def why() -> str:
            return f"What {self.name} does about {seen.key} of {seen.run_id} comes to no end: {act}."

        return await self.stage.time.during(self.perform(act, seen), why)

    def will(self, *acts: PersonAct, after: Duration = 0) -> PersonScript:
        """Say beforehand what this person will do about the next request of a name that they are asked.

        A script is for one request. Several for one name are taken in their order; the next one also takes a request
        that is still pending after the one before was refused.

        Args:
            acts: what they do about it, one after the other, e.g. `answer("approve", {"approved": True})`.
            after: how long they take over it.

        Returns:
            the script, which tells what came of it. If it was refused and nobody asks, that is raised at the end.

        Example:
            >>> alice.will(answer("approve", True), after="1h")
        """
        if not acts:
            raise TypeError('A script says what a person does, for example answer("approve", True).')
        script = PersonScript(self, acts, duration_ms(after))
        self._scripts.append(script)
        for request in self.stage.board.pending():
            self._hear(request)
        return script

    def _hear(self, request: SeenRequest) -> None:
        at = request.run_id, request.key
        if request.decided:
            self._scripted.discard(at)  # it may be asked again, after a rewind
        elif request.pending and at not in self._scripted and any(script.offer(request) for script in self._scripts):
            self._scripted.add(at)

    def failed(self, request: SeenRequest) -> None:
        """Learn that a script was refused: another one may try."""
        self._scripted.discard((request.run_id, request.key))
        latest = self.stage.board.latest(request)
        if latest is not None:
            self._hear(latest)

    def _find(self, name: str, run: str | None) -> SeenRequest | None:
        pending = [one for one in self.stage.board.pending() if one.called(name) and run in {None, one.run_id}]
        found = [one for one in pending if self.is_asked(one)] or pending
        if len(found) > 1:
            who = ", ".join(sorted(f"{one.key} of {one.run_id}" for one in found))
            raise ValueError(f"Several requests are called {name!r}: {who}. Say which run is meant: run=….")
        return found[0] if found else None

    async def perform(self, act: PersonAct, request: SeenRequest) -> Any:
        """Do something about a request as it was seen."""
        match act:
            case AnswerAct(submissions=(submission,)):
                return await self._answer(act, request, submission)
            case AnswerAct(submissions=several):
                answers = (self._answer(act, request, one) for one in several)
                outcomes = await asyncio.gather(*answers, return_exceptions=True)
                for outcome in outcomes:
                    if isinstance(outcome, BaseException) and not isinstance(outcome, SignoffError):
                        raise outcome
                return outcomes
            case VerbAct(_, verb, body):
                return await self.stage.do(verb, request, body, self.who)
            case NeverAct():
                return None

    async def _answer(self, act: AnswerAct, request: SeenRequest, submission_id: str | None) -> Accepted:
        seen = self.stage.board.first(request) if act.stale else request
        offered = request.row["actions"]
        submission = AnswerRequest(
            submission_id or self.stage.new_submission_id(),
            act.action or offered[0],
            codec.public_json(act.value),
            seen.seen_offset,
            seen.asked_at,
        )
        return await self.stage.answer(request, submission, self.who)

    async def close(self) -> list[Exception]:
        """End all scripts; return refusals that nobody has asked for."""
        return [error for script in self._scripts if (error := await script.close()) is not None]


def _is_meant(asked: Asked, request: SeenRequest) -> bool:
    if isinstance(asked, str):
        return request.called(asked)
    return (asked.run_id, asked.key) == (request.run_id, request.key)


def _name(asked: Asked) -> str:
    return asked if isinstance(asked, str) else asked.key

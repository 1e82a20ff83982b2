"""What `ctx.await_input` returns: a request that can be awaited, revised and withdrawn."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from signoff.errors import InputExpired, InputWithdrawn, InvalidAnswer, UnsupportedValue, WorkflowError
from signoff.names import check_text
from signoff.workflow import codec
from signoff.workflow.durations import Duration, deadline_ms, moment
from signoff.workflow.entry import DecidedBy
from signoff.workflow.futures import Pending
from signoff.workflow.input.entries import InputAnswered
from signoff.workflow.input.spec import check_spec
from signoff.workflow.input.submission import BACK

if TYPE_CHECKING:
    from signoff.workflow.commands import Commands

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """An accepted answer.

    Attributes:
        value: what was sent; None if an action that needs no value (`reject`, `back`) came without one. With `back` it
            is plain JSON that nobody has checked: give it as `initial` when the page comes up again.
        action: which of the request's actions was chosen.
        by: who answered.
        at: when, UTC.
    """

    value: T
    action: str
    by: DecidedBy
    at: datetime


class Unset:
    """The mark of an argument that was not given, where None means something."""


UNSET = Unset()


class Done:
    """An awaitable that does not wait: the effect has already taken place."""

    __slots__ = ("_value",)

    def __init__(self, value: bool) -> None:
        self._value = value

    def __await__(self) -> Generator[Any, None, bool]:
        yield from ()
        return self._value


class InputRequest(Generic[T]):
    """A request for input: pending until it is answered, expires or is withdrawn.

    Awaiting gives the `Answer`, as often as one likes; giving the wait up (a timeout, a cancelled task) withdraws the
    request, so that nobody is asked in vain.

    Attributes:
        id: `name:n`.

    Raises (when awaited):
        InputExpired: the deadline passed.
        InputWithdrawn: it was taken back.
        InvalidAnswer: the value matched the JSON Schema, but not the Python type; `extra["errors"]` tells where.

    Example:
        >>> request = ctx.await_input("approve", Decision, title="Approve?", to=["group:finance"], deadline="3d")
        >>> await request.revise(show=newer)
        >>> answer = await request
    """

    __slots__ = ("_answer", "_commands", "_failure", "_type", "_waiters", "id")

    def __init__(self, commands: Commands, id_: str, type_: Any) -> None:
        self.id = id_
        self._commands = commands
        self._type = type_
        self._answer: Answer[T] | None = None
        self._failure: WorkflowError | InvalidAnswer | None = None
        self._waiters: list[Pending[Answer[T]]] = []

    @property
    def pending(self) -> bool:
        """Tell whether it can still be answered."""
        return self._answer is None and self._failure is None

    def __await__(self) -> Generator[Any, None, Answer[T]]:
        if self._answer is not None:
            return self._answer
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        waiter: Pending[Answer[T]] = self._commands.pending(self.id, self._given_up)
        self._waiters.append(waiter)
        return (yield from waiter)

    def revise(
        self,
        *,
        title: str | Unset = UNSET,
        description: str | Unset | None = UNSET,
        show: Any = UNSET,
        initial: Any = UNSET,
        ui: dict[str, Any] | Unset | None = UNSET,
        actions: Sequence[str] | Unset = UNSET,
        to: Sequence[str] | Unset = UNSET,
        deadline: Duration | datetime | Unset | None = UNSET,
    ) -> Done:
        """Change a request. An answer to what the person no longer sees is refused as stale.

        Who is asked, and until when, does not make an answer stale.

        Takes effect at once; awaiting the result gives True, or False if the request was already decided.

        Args:
            deadline: counts from now; None: no deadline any more. The others are as in `Context.await_input`.
        """
        given = {"title": title, "description": description, "show": show, "initial": initial, "ui": ui}
        given |= {"actions": actions, "to": to}
        changes = {name: codec.public_json(value) for name, value in given.items() if value is not UNSET}
        if not isinstance(deadline, Unset):
            changes["deadline"] = None if deadline is None else deadline_ms(deadline, self._commands.now_ms)
        check_spec(changes)
        if not changes or not self.pending:
            return Done(False)
        self._commands.revise_input(self.id, changes)
        return Done(True)

    def withdraw(self, reason: str | None = None) -> Done:
        """Take the request back; whoever awaits it gets `InputWithdrawn`.

        Takes effect at once; awaiting the result gives True, or False if the request was already decided.
        """
        check_text(reason, "reason of a withdrawal")
        if not self.pending:
            return Done(False)
        self._commands.withdraw_input(self.id, reason)
        self.fail(withdrawn(self.id, reason))
        return Done(True)

    # -- what the machine tells ------------------------------------------------------------------------------------

    def _given_up(self, waiter: Pending[Any]) -> None:
        if waiter in self._waiters:
            self._waiters.remove(waiter)
        if self.pending:
            self.withdraw("no longer awaited")

    def answered(self, entry: InputAnswered) -> None:
        """Resolve with an accepted answer."""
        try:
            value = self._read(entry)
        except UnsupportedValue as error:
            self.fail(InvalidAnswer(f"The answer to {self.id} cannot be read: {error}", **error.extra))
            return
        self._answer = Answer(value, entry.action, entry.by, moment(entry.at))
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(self._answer)

    def _read(self, entry: InputAnswered) -> Any:
        if entry.action == BACK:
            return codec.decode(entry.value, Any)
        return None if entry.value is None and not self._takes_null() else codec.receive(entry.value, self._type)

    def _takes_null(self) -> bool:
        return self._type is None or self._type is type(None)

    def fail(self, error: WorkflowError | InvalidAnswer) -> None:
        """Resolve with an error."""
        self._failure = error
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_exception(error)


def expired(id_: str) -> InputExpired:
    """Return what a request that nobody answered in time raises."""
    return InputExpired(f"The deadline of {id_} passed and nobody answered.", input=id_)


def withdrawn(id_: str, reason: str | None) -> InputWithdrawn:
    """Return what a request that was taken back raises."""
    return InputWithdrawn(f"The request {id_} was withdrawn{f': {reason}' if reason else ''}.", input=id_)

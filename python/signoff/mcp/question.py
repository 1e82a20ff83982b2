"""The workflow that asks people what an agent wants to know: one question, one answer.

A worker has it by `app.include(asks)`. It needs no package beside Signoff.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

import orjson

from signoff.errors import InputExpired, InputWithdrawn, PublicError
from signoff.workflow.context import Context
from signoff.workflow.definition import App
from signoff.workflow.durations import duration_ms
from signoff.workflow.input.schema import schema_of
from signoff.workflow.input.spec import check_spec

ASK = "signoff.ask"
"""The workflow's name."""


@dataclass(frozen=True, slots=True)
class HumanQuestion:
    """What an agent asks.

    Attributes:
        title: the question in a line.
        to: principals that may answer; empty: operators only.
        schema: JSON Schema of the answer; None: a text, or nothing but the choice where there are actions.
        actions: what may be chosen; none: to answer.
        description: Markdown.
        show: what to look at.
        initial: what the form starts with.
        deadline: how long it is asked, e.g. `2d`; None: for ever.
    """

    title: str
    to: Sequence[str] = ()
    schema: dict[str, Any] | None = None
    actions: Sequence[str] = ()
    description: str | None = None
    show: Any = None
    initial: Any = None
    deadline: str | None = None

    @property
    def asked(self) -> dict[str, Any]:
        """Return what is answered, and how, as `Context.await_input` takes it."""
        if self.schema is None and self.actions:
            return {"actions": dict.fromkeys(self.actions)}
        written = orjson.dumps({"type": "string"} if self.schema is None else self.schema).decode()
        return {"type": Annotated[Any, _GivenSchema(written)], "actions": tuple(self.actions) or ("submit",)}

    def check(self) -> None:
        """Refuse what could not be asked.

        Raises:
            BadRequest, TypeError, ValueError: the title, the schema, a principal, an action or the deadline is none.
        """
        type_ = self.asked.get("type")
        written = {} if type_ is None else schema_of(type_)
        actions = list(self.actions) or ["submit"]
        check_spec({"title": self.title, "to": list(self.to), "actions": actions, "schema": written, "show": self.show})
        if self.deadline is not None:
            duration_ms(self.deadline)


@dataclass(frozen=True, slots=True)
class _GivenSchema:
    """A type's JSON Schema, as somebody has written it."""

    schema: str

    def __get_pydantic_json_schema__(self, _core: Any, _handler: Any) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(self.schema)
        return found


@dataclass(frozen=True, slots=True)
class HumanAnswer:
    """What came of a question.

    Attributes:
        outcome: `answered`; `expired`: nobody did in time; `withdrawn`: an operator took it back.
        action, value: what was chosen and sent; of a question that was withdrawn, who had what reason.
        by: who answered, e.g. `user:alice`; None: not known, or no person.
        at: when it was answered.
    """

    outcome: Literal["answered", "expired", "withdrawn"]
    action: str | None = None
    value: Any = None
    by: str | None = None
    at: datetime | None = None


asks = App()
"""The application with the one workflow; give it to yours: `app.include(asks)`."""


@asks.workflow(name=ASK, expose=("output",))
async def ask(ctx: Context, question: HumanQuestion) -> HumanAnswer:
    """Ask people one question, and return what came of it."""
    try:
        question.check()
        request = ctx.await_input(
            "answer",
            **question.asked,
            title=question.title,
            to=question.to,
            description=question.description,
            show=question.show,
            initial=question.initial,
            deadline=question.deadline,
        )
    except (TypeError, ValueError) as error:
        raise PublicError(f"The question cannot be asked: {error}") from error
    try:
        answer = await request
    except InputExpired:
        return HumanAnswer("expired")
    except InputWithdrawn as error:
        return HumanAnswer("withdrawn", value=error.detail)
    return HumanAnswer("answered", answer.action, answer.value, answer.by.id, answer.at)

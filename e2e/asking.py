"""A workflow that asks for whatever the test names: the example page has to cope with every form.

signoff dev asking:app
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from signoff import App, Context, Refused

app = App()


class Card(BaseModel):
    """Pay by card."""

    kind: Literal["card"]
    number: str


class Cash(BaseModel):
    """Pay in cash."""

    kind: Literal["cash"]
    amount: int


class Order(BaseModel):
    """A form with a field of every sort."""

    amount: Decimal = Field(title="Amount")
    rate: float = Field(title="Rate")
    count: int = Field(title="Count")
    year: str | None = Field(None, title="Year", pattern=r"^(?P<year>\d{4})$")
    sure: bool = Field(title="Sure")
    size: tuple[int, int] = Field(title="Size")
    labels: dict[str, int] = Field(title="Labels")
    notes: list[str] = Field(title="Notes")
    pay: Annotated[Card | Cash, Field(discriminator="kind")] = Field(title="Pay")
    extra: dict[str, Any] = Field(title="Extra")


class Numbers(BaseModel):
    """Numbers of all sorts."""

    a: float
    b: float
    c: float
    d: int
    e: Decimal


class Transfer(BaseModel):
    """Two members of one kind, a table, and one of several."""

    payer: Cash = Field(default_factory=lambda: Cash(kind="cash", amount=1))
    payee: Cash
    table: list[list[int]] = [[1, 2], [3]]
    how: Literal["slowly", "quickly"] = "slowly"


EVIL = (
    "\"'><script>window.__xss = 1</script><img src=x onerror='window.__xss = 1'><svg onload='window.__xss = 1'>"
    "</textarea></title></style></option>"
)


class Hostile(BaseModel):
    """A form whose every word tries to run."""

    text: str = Field(EVIL, title=EVIL, description=EVIL)
    long: str = Field(EVIL, title=EVIL, max_length=900)
    number: int = Field(title=EVIL)
    pick: Literal['"><script>window.__xss = 1</script>', "b"] = Field("b", title=EVIL, description=EVIL)
    names: dict[str, str] = Field({EVIL: EVIL}, title=EVIL)
    rows: list[str] = Field([EVIL], title=EVIL)


TYPES: dict[str, Any] = {"text": str, "yes": bool, "number": float, "integer": int, "decimal": Decimal, "order": Order}
TYPES |= {"either": Card | Cash, "numbers": Numbers, "texts": list[str], "transfer": Transfer, "hostile": Hostile}


@app.workflow(expose=["output"])
async def ask(ctx: Context, question: dict[str, Any]) -> dict[str, Any]:
    """Ask what `question` says: `of` names the type, the rest are arguments of `await_input`."""
    spec = dict(question)
    kind = TYPES[spec.pop("of", "yes")]
    answer = await ctx.await_input(
        "ask", kind, title=spec.pop("title", "Well?"), to=["group:finance"], expose=True, **spec
    )
    value = answer.value.model_dump(mode="json") if isinstance(answer.value, BaseModel) else answer.value
    return {"action": answer.action, "value": value}


class Seat(BaseModel):
    """What only the workflow's own code can judge."""

    email: str = Field(title="E-mail", min_length=1)


async def free(seat: Seat) -> None:
    """Refuse what is taken."""
    if seat.email.startswith("bora"):
        raise Refused({"/email": "That address is taken."})


@app.workflow(expose=["output"])
async def seat(ctx: Context) -> str:
    """Ask for an address that is free."""
    answer = await ctx.await_input("ask", Seat, title="Who comes?", to=["group:finance"], validate=free)
    return answer.value.email


def look(number: int) -> int:
    """Be one of many steps."""
    return number


@app.workflow
async def busy(ctx: Context, steps: int) -> None:
    """Take many steps, then wait for a person while one more goes on."""
    for begin in range(0, steps, 100):
        await asyncio.gather(*(ctx.step("look", look, number) for number in range(begin, min(begin + 100, steps))))
    await ctx.await_input("ask", bool, title="Go on?", to=["group:finance"])

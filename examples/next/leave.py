"""Days off: somebody asks, a lead decides, and the calendar is told.

signoff dev leave:app --allow-origin http://localhost:3000
"""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel, Field

from signoff import Action, App, Context, step

app = App()


class Leave(BaseModel):
    """What somebody asks for."""

    who: str = Field(title="Who", min_length=1)
    first: date = Field(title="First day")
    last: date = Field(title="Last day")
    why: str = Field("", title="Why")

    def __str__(self) -> str:
        """Say it in a line."""
        days = (self.last - self.first).days + 1
        return f"{self.who}: {days} {'day' if days == 1 else 'days'} off, from {told(self.first)}"


def told(day: date) -> str:
    """Say a day as people do."""
    return f"{day.day} {day:%B}"


class Word(BaseModel):
    """What a lead may say with the decision."""

    note: str = Field("", title="A word to them", json_schema_extra={"format": "textarea"})


class Refusal(BaseModel):
    """What a lead says who declines."""

    reason: str = Field(title="Why not?", min_length=3)


@step(label="Calendar")
async def enter(leave: Leave) -> str:
    """Stand for a calendar's API; the step's key would be the entry's id."""
    return f"{leave.who} is away until {told(leave.last)}"


@app.workflow(expose=["output"])
async def leave(ctx: Context, asked: Leave) -> str:
    """Ask the leads, and tell the calendar."""
    answer = await ctx.await_input(
        "approve",
        actions={"approve": Action(Word, intent="positive"), "decline": Action(Refusal, intent="negative")},
        title=str(asked),
        show=asked,
        to=["group:leads"],
        deadline="7d",
    )
    if answer.action == "decline":
        return f"declined: {answer.value.reason}"
    return await ctx.step("enter", enter, asked)

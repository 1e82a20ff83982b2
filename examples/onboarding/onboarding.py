"""Onboarding, page by page: checked on the server, with a way back, and on whichever device somebody goes on.

    signoff dev onboarding:app
    signoff start onboarding --input '"user:alice"'

Three pages are three awaits. Back, half-filled pages and what comes up on another device are the engine's.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

import signoff
from signoff import App, Before, Context, Default, Escalation, Refused

# -- the pages: what is asked, and under which name --------------------------------------------------------------------


class Contact(BaseModel):
    """Who somebody is."""

    email: str = Field(title="E-mail address", pattern=r"^\S+@\S+\.\S+$", description="You will sign in with it.")
    name: str = Field(title="Name", min_length=1)


class Team(BaseModel):
    """Where somebody works."""

    role: Literal["engineering", "sales", "finance"] = Field(title="Team")
    laptop: Literal["light", "strong", "none"] = Field("light", title="Laptop")
    wishes: str = Field("", title="Anything else you need?", json_schema_extra={"format": "textarea"})


class Consent(BaseModel):
    """What somebody agrees to."""

    terms: Literal[True] = Field(title="I have read the house rules and agree")
    newsletter: bool = Field(default=False, title="Send me the newsletter")


# -- the database of the application -----------------------------------------------------------------------------------


@contextmanager
def accounts() -> Iterator[sqlite3.Connection]:
    """Open the table of accounts: in the folder that SIGNOFF_EXAMPLE_DATA names, else in `.demo` here."""
    folder = Path(os.environ.get("SIGNOFF_EXAMPLE_DATA", ".demo"))
    folder.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(folder / "accounts.sqlite", timeout=30)) as database, database:
        database.execute("CREATE TABLE IF NOT EXISTS accounts (email TEXT PRIMARY KEY, name TEXT, team TEXT, key TEXT)")
        database.execute("INSERT OR IGNORE INTO accounts VALUES ('taken@example.com', 'Somebody', 'sales', '')")
        yield database


async def is_free(page: Contact) -> None:
    """Refuse an address that somebody has; it is said at the field, in every tab, and nothing is recorded."""
    with accounts() as database:
        if database.execute("SELECT 1 FROM accounts WHERE email = ?", (page.email,)).fetchone():
            raise Refused({"/email": f"{page.email} is taken."})


def create(contact: Contact, team: Team) -> bool:
    """Create the account, once however often the step runs; False: somebody else was quicker."""
    key = signoff.current_step().key
    with accounts() as database:
        row = (contact.email, contact.name, team.role, key)
        database.execute("INSERT OR IGNORE INTO accounts VALUES (?, ?, ?, ?)", row)
        found = database.execute("SELECT key FROM accounts WHERE email = ?", (contact.email,)).fetchone()
    return bool(found[0] == key)


# -- the workflow ------------------------------------------------------------------------------------------------------

app = App()


@app.workflow(expose=["output"])
async def onboarding(ctx: Context, who: str) -> str:
    """Take somebody in: `who` is a principal, such as `user:alice`."""
    pages = ctx.wizard(of=3)
    contact = await pages.ask("contact", Contact, title="Who are you?", to=[who], validate=is_free)
    team = await pages.ask("team", Team, title=f"Welcome, {contact.value.name}. Where will you work?", to=[who])
    consent = await pages.ask(
        "consent",
        Consent,
        title="Do you agree?",
        description="Without it there is no account. You can still go **back** and change what you have said.",
        actions=["submit", "reject"],
        to=[who],
        deadline="7d",
        remind=["1d", Before("1d")],
        default=Default("reject"),
        escalate=[Escalation("3d", to=["group:support"])],
    )
    if consent.action == "reject":
        return f"{contact.value.email} did not agree."
    ctx.point_of_no_return()
    created = await ctx.options(label="Create the account").step("create", create, contact.value, team.value)
    return f"{contact.value.email} joined {team.value.role}." if created else f"{contact.value.email} is taken by now."

"""Expense claims: checked by the house rules, approved by a person, paid exactly once.

Small claims pass on their own. For the others the run asks the finance team and waits, for days if need be, without
holding memory. A claim that is amended meanwhile is checked again and shown anew. Who declines has to say why.

    signoff dev workflow:app

The file reads from top to bottom: what goes in and out, the rules, the steps, the workflow. The last is the shortest.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

import signoff
from signoff import App, Context, InputExpired, Retry, step

HOUSE_CURRENCY = "EUR"
FREE_UP_TO = Decimal(50)  # in euros; nobody is asked for less
RECEIPT_FROM = Decimal(15)  # in euros; smaller items need no receipt

Category = Literal["lodging", "meals", "transport", "client", "equipment", "training", "other"]

LIMITS: dict[Category, Decimal] = {  # in euros; an item above it is pointed out to the person
    "lodging": Decimal(240),
    "meals": Decimal(65),
    "transport": Decimal(450),
    "client": Decimal(400),
    "equipment": Decimal(350),
    "training": Decimal(700),
    "other": Decimal(100),
}

# Euros for one unit. A real claim desk asks its bank; the example keeps its rates at hand.
RATES = {
    "EUR": "1", "USD": "0.9215", "GBP": "1.1840", "CHF": "1.0430", "SEK": "0.0894", "PLN": "0.2342", "TRY": "0.0268",
    "JPY": "0.00612", "CNY": "0.1274", "KRW": "0.000672", "INR": "0.01098", "ILS": "0.2548", "AED": "0.2509",
    "EGP": "0.01885", "ZAR": "0.0502", "BRL": "0.1651", "MXN": "0.0491", "CAD": "0.6710", "AUD": "0.6050",
}  # fmt: skip


# -- what goes in and what comes out -----------------------------------------------------------------------------------

Money = Annotated[Decimal, AfterValidator(lambda amount: round(amount, 2)), WithJsonSchema({"type": "number"})]


class Claimant(BaseModel):
    """Who paid in advance and wants the money back."""

    name: str
    email: str
    department: str


class Trip(BaseModel):
    """The journey a claim belongs to."""

    destination: str
    start: date
    end: date


class LineItem(BaseModel):
    """One thing that was bought. `receipt` names the file; None: there is none."""

    date: date
    category: Category
    description: str
    amount: Money
    receipt: str | None = None


class Claim(BaseModel):
    """What an employee hands in; amounts are in `currency`."""

    id: str
    title: str
    claimant: Claimant
    cost_centre: str
    currency: str
    total: Money
    items: list[LineItem]
    submitted: date
    purpose: str = ""
    trip: Trip | None = None


class Finding(BaseModel):
    """Something the house rules say about a claim. `item` counts its line items from 0."""

    code: Literal["missing_receipt", "over_limit", "outside_trip", "duplicate", "total_mismatch", "unknown_currency"]
    message: str
    item: int | None = None


class Report(BaseModel):
    """A claim and what the checks say about it: what the person looks at. `amount` is in euros."""

    claim: Claim
    amount: Money
    findings: list[Finding]


class Decision(BaseModel):
    """What the person says.

    That declining needs a comment stands in the JSON Schema, so every client can show it and the server insists on it.
    """

    model_config = ConfigDict(
        title="Decision",
        extra="forbid",
        json_schema_extra={
            "if": {"properties": {"approved": {"const": False}}, "required": ["approved"]},
            "then": {"properties": {"comment": {"minLength": 1}}, "required": ["comment"]},
        },
    )

    approved: bool = Field(title="Your decision")
    comment: str = Field("", title="Comment", description="The claimant will read it. Say why if you decline.")


class Receipt(BaseModel):
    """How a claim ended. `paid` is in the claim's currency, `booked` in euros."""

    outcome: Literal["paid", "declined", "expired"]
    currency: str
    paid: Money | None = None
    booked: Money | None = None
    rate: Decimal | None = None
    reference: str | None = None
    memo: str | None = None
    decided_by: str | None = None
    comment: str = ""


# -- the rules ---------------------------------------------------------------------------------------------------------


def findings(claim: Claim) -> Iterator[Finding]:
    """Say what a person should look at before this claim is paid."""
    if claim.currency not in RATES:
        yield Finding(code="unknown_currency", message=f"No rate is known for {claim.currency}.")
    if (total := sum(item.amount for item in claim.items)) != claim.total:
        yield Finding(code="total_mismatch", message=f"The items add up to {total:,}, the claim says {claim.total:,}.")
    for n, item in enumerate(claim.items):
        euros = in_euros(item.amount, claim.currency)
        if item.receipt is None and euros >= RECEIPT_FROM:
            yield Finding(code="missing_receipt", item=n, message="There is no receipt.")
        if euros > (limit := LIMITS[item.category]):
            yield Finding(code="over_limit", item=n, message=f"Above the limit of €{limit} for {item.category}.")
        if claim.trip and not claim.trip.start <= item.date <= claim.trip.end:
            yield Finding(code="outside_trip", item=n, message="The date is outside the trip.")
        if item in claim.items[:n]:
            yield Finding(code="duplicate", item=n, message="The same item stands here twice.")


def in_euros(amount: Decimal, currency: str) -> Decimal:
    """Convert an amount at today's rate; an unknown currency counts as euros and is pointed out by `findings`."""
    return round(amount * Decimal(RATES.get(currency, "1")), 2)


# -- the steps: plain functions, run once each, retried if they fail ---------------------------------------------------


def check_claim(claim: Claim) -> Report:
    """Apply the house rules."""
    return Report(claim=claim, amount=in_euros(claim.total, claim.currency), findings=list(findings(claim)))


@step(retry=Retry(attempts=5, first="0.2s"), timeout="10s")
async def fetch_rate(currency: str) -> Decimal:
    """Ask for the rate of the day."""
    await asyncio.sleep(0.15)
    return Decimal(RATES[currency])


def write_memo(claim: Claim) -> str:
    """Write the line that the claimant finds on the bank statement."""
    return f"{claim.id} {claim.title}, {len(claim.items)} items, cost centre {claim.cost_centre}"


def reimburse(claim: Claim, rate: Decimal, memo: str) -> str:
    """Book the payment and return its reference.

    A step may run twice: after a crash nobody knows whether its effect took place. The step's key stays the same, so
    it makes the booking idempotent.
    """
    key = signoff.current_step().key
    booked = round(claim.total * rate, 2)
    row = (key, claim.id, claim.claimant.name, str(claim.total), claim.currency, str(booked), memo)
    with closing(sqlite3.connect(accounting_file(), timeout=30)) as database, database:
        database.execute(
            "CREATE TABLE IF NOT EXISTS reimbursements (key TEXT PRIMARY KEY, claim TEXT, payee TEXT, amount TEXT,"
            " currency TEXT, euros TEXT, memo TEXT, booked_at TEXT)"
        )
        database.execute(
            "INSERT OR IGNORE INTO reimbursements VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (*row, datetime.now(UTC).isoformat(timespec="seconds")),
        )
        (number,) = database.execute("SELECT rowid FROM reimbursements WHERE key = ?", (key,)).fetchone()
    return f"R-{number:05d}"


def accounting_file() -> Path:
    """Find the ledger: in the folder SIGNOFF_EXAMPLE_DATA names, else in `.demo` here."""
    folder = Path(os.environ.get("SIGNOFF_EXAMPLE_DATA", ".demo"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "accounting.sqlite"


# -- the workflow ------------------------------------------------------------------------------------------------------

app = App()

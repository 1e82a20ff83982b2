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
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

import signoff
from signoff import Action, Answer, App, Context, InputExpired, Retry, step

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


class Refusal(BaseModel):
    """What is said to decline a claim: why. To approve one nothing has to be said."""

    model_config = ConfigDict(extra="forbid")

    comment: str = Field(
        title="Why not?",
        description="The claimant will read it.",
        min_length=5,  # “No.” is no reason
        json_schema_extra={"contentMediaType": "text/plain"},
    )


class Booking(BaseModel):
    """One row of the ledger. `paid` is in the claim's currency, `booked` in euros."""

    reference: str
    paid: Money
    booked: Money
    rate: Decimal
    memo: str


class Receipt(BaseModel):
    """How a claim ended."""

    outcome: Literal["paid", "declined", "expired"]
    currency: str
    booking: Booking | None = None
    decided_by: str | None = None
    comment: str = ""

    @classmethod
    def of(cls, outcome: Literal["paid", "declined"], claim: Claim, answer: Answer[Refusal | None] | None) -> Receipt:
        """Begin a receipt with who decided; no answer: nobody was asked."""
        receipt = cls(outcome=outcome, currency=claim.currency)
        if answer:
            receipt.decided_by, receipt.comment = answer.by.id, answer.value.comment if answer.value else ""
        return receipt


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
            yield Finding(code="missing_receipt", item=n, message=f"No receipt for {claim.currency} {item.amount:,}.")
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


@step(label="House rules", expose=True)  # whoever may see the run may see the report
def check_claim(claim: Claim) -> Report:
    """Apply the house rules."""
    return Report(claim=claim, amount=in_euros(claim.total, claim.currency), findings=list(findings(claim)))


@step(label="Exchange rate", retry=Retry(attempts=5, first="0.2s"), timeout="10s")
async def fetch_rate(currency: str) -> Decimal:
    """Ask for the rate of the day."""
    await asyncio.sleep(0.15)
    return Decimal(RATES[currency])


@step(label="Line on the bank statement")
def write_memo(claim: Claim) -> str:
    """Write the line that the claimant finds on the bank statement."""
    return f"{claim.id.upper()} / {claim.cost_centre} / {claim.title}"


@step(label="Payment")
def reimburse(claim: Claim, rate: Decimal, memo: str) -> Booking:
    """Write the payment into the ledger.

    A step may run twice: after a crash nobody knows whether its effect took place. Its key is the same every time, so
    as the primary key it makes sure that the money leaves once.
    """
    key = signoff.current_step().key
    booked = round(claim.total * rate, 2)
    row = (key, claim.id, claim.claimant.name, str(claim.total), claim.currency, str(booked), memo)
    with closing(sqlite3.connect(ledger_file(), timeout=30)) as ledger, ledger:
        ledger.execute(
            "CREATE TABLE IF NOT EXISTS reimbursements (key TEXT PRIMARY KEY, claim TEXT, payee TEXT, amount TEXT,"
            " currency TEXT, euros TEXT, memo TEXT, booked_at TEXT DEFAULT CURRENT_TIMESTAMP)"
        )
        ledger.execute(
            "INSERT OR IGNORE INTO reimbursements (key, claim, payee, amount, currency, euros, memo)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            row,
        )
        (number,) = ledger.execute("SELECT rowid FROM reimbursements WHERE key = ?", (key,)).fetchone()
    return Booking(reference=f"R-{number:05d}", paid=claim.total, booked=booked, rate=rate, memo=memo)


def ledger_file() -> Path:
    """Find the ledger: in the folder that SIGNOFF_EXAMPLE_DATA names, else in `.demo` here."""
    folder = Path(os.environ.get("SIGNOFF_EXAMPLE_DATA", ".demo"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "accounting.sqlite"


# -- the workflow ------------------------------------------------------------------------------------------------------

app = App()


@app.workflow(expose=["output"])
async def expense(ctx: Context, claim: Claim) -> Receipt:
    """Check a claim, have it approved, pay it."""
    report = await ctx.step("check", check_claim, claim)
    answer = None
    if report.amount > FREE_UP_TO:
        try:
            claim, answer = await approval(ctx, report)
        except InputExpired:
            return Receipt(outcome="expired", currency=claim.currency)
        if answer.action == "decline":
            return Receipt.of("declined", claim, answer)

    async with asyncio.timeout(60):
        rate, memo = await asyncio.gather(
            ctx.step("rate", fetch_rate, claim.currency),
            ctx.step("memo", write_memo, claim),
        )
    await ctx.sleep("2s")  # a durable pause: a restart in between does not lengthen it
    receipt = Receipt.of("paid", claim, answer)
    receipt.booking = await ctx.step("reimburse", reimburse, claim, rate, memo)
    return receipt


def question(report: Report) -> str:
    """Write the title under which people find the request."""
    return f"Approve “{report.claim.title}”?"


async def approval(ctx: Context, report: Report) -> tuple[Claim, Answer[Refusal | None]]:
    """Ask the finance team, and keep what they read true: an amended claim is checked again and shown anew.

    Returns the claim as it was when somebody decided. Who had not seen the newest version cannot decide: the server
    answers them `stale`.
    """
    request = ctx.await_input(
        "approve",
        actions={"approve": None, "decline": Action(Refusal, intent="negative")},
        title=question(report),
        show=report,
        to=["group:finance"],
        deadline="3d",
        expose=True,
    )
    answered = asyncio.ensure_future(request)
    while not answered.done():
        amended = ctx.await_event("claim.amended", type=Claim)
        either: list[asyncio.Future[Any]] = [answered, amended]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if answered.done():
            amended.cancel()
        else:
            newer = await ctx.step("check", check_claim, amended.result())
            if await request.revise(title=question(newer), show=newer):  # else somebody was quicker
                report = newer
    return report.claim, await answered

"""`signoff db …`: see, check and upgrade the schema of a store, and copy a store into another."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Annotated

import typer

from signoff.cli import options, output
from signoff.cli.copying import copy
from signoff.cli.misuse import Misuse
from signoff.cli.suggest import OurCommands
from signoff.cli.target import run_here
from signoff.stores.migrating import Migrating, SchemaStatus
from signoff.stores.open import open_migrating

NamedStore = Annotated[str | None, typer.Option("--store", metavar="URL", help="The store; or SIGNOFF_STORE.")]


def build() -> typer.Typer:
    """Return the sub-commands as one application."""
    app = typer.Typer(
        cls=OurCommands, no_args_is_help=True, help="Look after a store's schema; copy a store into another."
    )
    for function in (status, upgrade, check, sql, copy):
        app.command()(function)
    return app


def status(*, json: options.Json = False, store: NamedStore = None) -> int:
    """Say which schema a store has, and what is pending; exit with 1 if it cannot be used as it is."""
    migrating = _named(store)
    if migrating is None:
        return _nothing(json=json)
    found = run_here(migrating.status())
    if json:
        output.as_json(asdict(found))
    else:
        output.line(_said(found))
        for name in found.pending:
            output.line(f"  pending  {name}")
    return int(found.breaking)


def upgrade(*, json: options.Json = False, store: NamedStore = None) -> int:
    """Bring a store's schema up to date, or create it; several may do so at the same time."""
    migrating = _named(store)
    if migrating is None:
        return _nothing(json=json)

    async def run() -> tuple[list[str], SchemaStatus]:
        return await migrating.upgrade(), await migrating.status()

    applied, found = run_here(run())
    if json:
        output.as_json({"applied": applied, "schema": found.schema})
    else:
        for name in applied:
            output.line(f"  applied  {name}")
        output.line(_said(found))
    return 0


def check(*, json: options.Json = False, store: NamedStore = None) -> int:
    """Say what is wrong with a store's schema and server; exit with 1 if anything is, or a migration is pending."""
    migrating = _named(store)
    if migrating is None:
        return _nothing(json=json)

    async def run() -> tuple[SchemaStatus, list[str]]:
        return await migrating.status(), await migrating.check()

    found, faults = run_here(run())
    if found.pending or found.breaking:
        faults.insert(0, _said(found))
    if json:
        output.as_json({"faults": faults})
    for fault in () if json else faults or ["Nothing is wrong."]:
        output.line(fault)
    return int(bool(faults))


def sql(*, store: NamedStore = None) -> int:
    """Print the statements for an administrator, where Signoff's own role may not create anything."""
    migrating = _named(store)
    if migrating is None:
        return _nothing(json=False)
    print(migrating.sql(), end="")
    return 0


def _named(store: str | None) -> Migrating | None:
    """Return what looks after the schema of the store that is meant; None: it has none.

    Raises:
        Misuse: no store is named.
    """
    url = store or os.environ.get("SIGNOFF_STORE")
    if not url:
        raise Misuse("Say which store is meant: --store URL, or SIGNOFF_STORE.")
    return open_migrating(url)


def _nothing(*, json: bool) -> int:
    if json:
        output.as_json({"schema": None})
    else:
        output.line("This store has no schema: there is nothing to look after.")
    return 0


def _said(found: SchemaStatus) -> str:
    if found.breaking:
        return (
            f"The schema has version {found.schema}, of a newer release; this one knows {found.newest} and refuses it. "
            "Use the newer release."
        )
    if not found.pending:
        return f"The schema has version {found.schema}, which is up to date."
    has = f"The schema has version {found.schema}" if found.schema else "There is no schema yet"
    return f"{has}; this release brings it to {found.newest} (signoff db upgrade, or whoever opens the store next)."

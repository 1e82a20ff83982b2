"""`signoff db` tells of a store's schema, and brings it up to date."""

from __future__ import annotations

import json
from pathlib import Path

from signoff.stores.sqlite.statements import migration_names, migrations
from tests.cli.commands import run

STORE = ("--store", "sqlite:///runs.db")
NEWEST = len(migrations())


def test_a_schema_is_looked_at_made_and_checked(tmp_path: Path) -> None:
    before = run(tmp_path, "db", "status", *STORE)
    assert before.returncode == 0
    assert before.stdout.startswith(f"There is no schema yet; this release brings it to {NEWEST}")
    assert before.stdout.count("\n  pending  ") == NEWEST
    missing = run(tmp_path, "db", "check", *STORE)
    assert missing.returncode == 1
    assert not (tmp_path / "runs.db").exists()
    made = run(tmp_path, "db", "upgrade", SIGNOFF_STORE=STORE[1])
    assert made.returncode == 0
    assert made.stdout.endswith(f"The schema has version {NEWEST}, which is up to date.\n")
    assert made.stdout.count("  applied  ") == NEWEST
    assert run(tmp_path, "db", "check", *STORE).stdout == "Nothing is wrong.\n"
    assert run(tmp_path, "list", *STORE).returncode == 0


def test_what_programs_read(tmp_path: Path) -> None:
    def told(*arguments: str) -> object:
        return json.loads(run(tmp_path, "db", *arguments, "--json", *STORE).stdout)

    names = migration_names()
    status = {"backend": "sqlite", "schema": 0, "newest": NEWEST, "pending": names, "breaking": False}
    assert told("status") == status
    assert told("upgrade") == {"applied": names, "schema": NEWEST}
    assert told("upgrade") == {"applied": [], "schema": NEWEST}
    assert told("check") == {"faults": []}
    assert told("status") == {**status, "schema": NEWEST, "pending": []}


def test_the_statements_are_printed_without_a_store(tmp_path: Path) -> None:
    done = run(tmp_path, "db", "sql", *STORE)
    assert done.returncode == 0
    assert "CREATE TABLE subjects (" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_memory_has_no_schema(tmp_path: Path) -> None:
    for name in ("status", "upgrade", "check", "sql"):
        done = run(tmp_path, "db", name, "--store", "memory:")
        assert (done.returncode, done.stdout) == (0, "This store has no schema: there is nothing to look after.\n")


def test_misuse_and_trouble_are_told_in_one_line(tmp_path: Path) -> None:
    unnamed = run(tmp_path, "db", "status")
    assert (unnamed.returncode, unnamed.stdout) == (2, "")
    assert unnamed.stderr == "signoff: Say which store is meant: --store URL, or SIGNOFF_STORE.\n"
    (tmp_path / "runs.db").write_text("no database at all, but long enough" * 100)
    for name in ("status", "upgrade", "check"):
        done = run(tmp_path, "db", name, *STORE)
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert "is not a SQLite database" in done.stderr

"""`signoff db` tells of a store's schema, and brings it up to date."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from signoff.stores.open import open_store
from signoff.stores.sqlite.statements import migration_names, migrations
from signoff.testing.store_contract.filled import comparable, dumped
from signoff.testing.store_contract.laws import done, head, write
from tests.cli.commands import environment, run

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


def test_every_schema_is_made_and_checked(tmp_path: Path, shared_url: str) -> None:
    before = json.loads(run(tmp_path, "db", "status", "--json", SIGNOFF_STORE=shared_url).stdout)
    assert (before["schema"], before["breaking"]) == (0, False)
    assert before["pending"]
    assert run(tmp_path, "db", "check", SIGNOFF_STORE=shared_url).returncode == 1
    made = run(tmp_path, "db", "upgrade", SIGNOFF_STORE=shared_url)
    assert (made.returncode, made.stderr) == (0, "")
    after = json.loads(run(tmp_path, "db", "status", "--json", SIGNOFF_STORE=shared_url).stdout)
    assert after == {**before, "schema": before["newest"], "pending": []}
    checked = run(tmp_path, "db", "check", SIGNOFF_STORE=shared_url)
    assert (checked.returncode, checked.stdout) == (0, "Nothing is wrong.\n")
    assert run(tmp_path, "db", "sql", SIGNOFF_STORE=shared_url).returncode == 0


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


# -- copying -----------------------------------------------------------------------------------------------------------

COPY = ("db", "copy", "sqlite:///runs.db", "sqlite:///other.db")


def test_a_store_is_copied_and_the_copy_is_used(tmp_path: Path) -> None:
    run(tmp_path, "stream", "create", "chat/1", '{"n":1}', *STORE)
    told = run(tmp_path, *COPY, "--verify")
    assert (told.returncode, told.stderr) == (0, "")
    *counts, said = told.stdout.splitlines()
    assert counts == ["streams             1", "batches of streams  1"]
    assert said.startswith("Copied, and compared: both hold the same. ")
    assert run(tmp_path, "stream", "read", "chat/1", "--store", COPY[3]).stdout == '{"n":1}\n'
    again = run(tmp_path, *COPY)
    assert again.returncode == 1
    assert (
        again.stderr
        == "signoff: The target holds something already; nothing was changed. Name a store that holds nothing.\n"
    )


def test_a_store_is_moved_to_every_other_and_back(tmp_path: Path, shared_url: str) -> None:
    run(tmp_path, "start", "expense", "--run-id", "r1", *STORE)
    there = run(tmp_path, "db", "copy", STORE[1], shared_url, "--verify")
    assert (there.returncode, there.stderr) == (0, "")
    back = run(tmp_path, "db", "copy", shared_url, COPY[3], "--verify")
    assert (back.returncode, back.stderr, back.stdout) == (0, "", there.stdout)
    shown = [
        run(tmp_path, "show", "r1", "--history", "--json", "--store", url).stdout
        for url in (STORE[1], shared_url, COPY[3])
    ]
    assert shown[0] == shown[1] == shown[2] != ""


def test_what_cannot_be_copied_is_refused_in_one_line(tmp_path: Path) -> None:
    missing = run(tmp_path, *COPY)
    assert missing.returncode == 1
    assert missing.stderr.startswith(f"signoff: There is no store at {tmp_path}/runs.db")
    assert list(tmp_path.iterdir()) == []
    for pair in (("memory:", COPY[3]), (COPY[2], "memory:")):
        done = run(tmp_path, "db", "copy", *pair)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)


async def test_a_copy_that_is_killed_again_and_again_is_gone_on_with(tmp_path: Path) -> None:
    source, target = open_store(f"sqlite:///{tmp_path}/runs.db"), open_store(f"sqlite:///{tmp_path}/other.db")
    await source.open()
    for number in range(30):
        await done(source, write(head(f"s{number:02}", content_type="text/plain", tail=1 << 20), b"x" * (1 << 20)))
    command = [sys.executable, "-m", "signoff.cli", *COPY, "--json"]
    for _ in range(2):
        with subprocess.Popen(command, cwd=tmp_path, env=environment()) as process:
            until = _size(tmp_path) + (6 << 20)
            while _size(tmp_path) < until:
                assert process.poll() is None, "it ended before it could be killed"
                time.sleep(0.001)
            process.send_signal(signal.SIGKILL)
    ended = run(tmp_path, *COPY, "--json")
    assert (ended.returncode, ended.stderr) == (0, "")
    result = json.loads(ended.stdout)
    assert (result["records"]["stream"], result["resumed"], result["verified"]) == (30, True, True)
    await target.open()
    assert comparable(await dumped(target)) == comparable(await dumped(source))
    await source.close()
    await target.close()


def test_a_person_sees_how_far_it_is(tmp_path: Path) -> None:
    run(tmp_path, "stream", "create", "chat/1", '{"n":1}', *STORE)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "signoff.cli", *COPY, "--verify"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL, stderr=theirs
    ) as process:
        os.close(theirs)
        seen = b""
        with suppress(OSError):  # how a terminal ends
            while some := os.read(ours, 65_536):
                seen += some
    os.close(ours)
    assert process.returncode == 0
    for step in (b"Looking at the source", b"Copying", b"Comparing"):
        assert step in seen
    assert "━━━━━━━━".encode() in seen


def test_half_a_copy_is_refused_in_one_line(tmp_path: Path) -> None:
    run(tmp_path, "stream", "create", "chat/1", '{"n":1}', *STORE)
    with subprocess.Popen(
        [sys.executable, "-c", HALF], cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True
    ) as half:
        assert half.wait(timeout=60) == 9
    refused = run(tmp_path, "server", "--port", "0", "--store", COPY[3])
    assert (refused.returncode, refused.stdout) == (1, "")
    wanted = f"signoff: This store is being filled by `signoff db copy` from sqlite:///{tmp_path}/runs.db, and not all"
    assert refused.stderr.splitlines()[-1].startswith(wanted)
    assert run(tmp_path, *COPY).returncode == 0
    assert run(tmp_path, "stream", "read", "chat/1", "--store", COPY[3]).stdout == '{"n":1}\n'


HALF = """
import os
from signoff.cli import main
from signoff.service.copying import StoreCopying

async def end(*_):
    os._exit(9)

StoreCopying.finish = end
main(["db", "copy", "sqlite:///runs.db", "sqlite:///other.db"])
"""


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("other.db*"))

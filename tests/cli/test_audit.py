"""`signoff audit verify` checks a file without a server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import orjson

from signoff.service import ed25519
from tests.workflow.test_bundle import SEED, fork_of, made


def verify(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "signoff", "audit", "verify", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


def test_an_altered_file_is_refused_in_one_line_that_names_the_entry(tmp_path: Path) -> None:
    good, altered = tmp_path / "good.json", tmp_path / "altered.json"
    good.write_bytes(made())
    altered.write_bytes(made().replace(b"Is 1 right", b"Is 7 right", 1))
    assert verify(good).returncode == 0
    refused = verify(altered)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("signoff: Entry 3 is altered")
    assert refused.stderr.count("\n") == 1


def test_a_file_is_held_against_the_keys_that_are_given(tmp_path: Path) -> None:
    file, keys, other = tmp_path / "r1.json", tmp_path / "jwks.json", tmp_path / "jwk.json"
    file.write_bytes(made())
    keys.write_bytes(orjson.dumps({"keys": [ed25519.public_key(SEED)]}))
    other.write_bytes(orjson.dumps(ed25519.public_key(bytes(32))))
    assert "a key you gave" in verify(file, "--key", keys).stdout
    assert "none of the keys" in verify(file, "--key", other).stderr
    for neither in (b"[]", b'{"keys": [5]}', b'{"keys": 5}'):
        other.write_bytes(neither)
        refused = verify(file, "--key", other)
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
        assert "neither a JWK nor a JWKS" in refused.stderr


def test_a_fork_says_of_which_run_and_is_held_against_that(tmp_path: Path) -> None:
    fork, parent = tmp_path / "r2.json", tmp_path / "r1.json"
    parent.write_bytes(made())
    fork.write_bytes(fork_of(made()))
    assert "Its first 7 entries are those of r1, which you have not compared" in verify(fork).stdout
    told = orjson.loads(verify(fork, "--parent", parent, "--json").stdout)
    assert (told["forked_from"]["run_id"], told["parent_checked"]) == ("r1", True)
    assert "no fork of r2" in verify(parent, "--parent", fork).stderr

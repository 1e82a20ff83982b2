"""`signoff audit`: export the evidence of a run, and check such a file without a server."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from signoff.cli import options, output
from signoff.cli.misuse import Misuse
from signoff.cli.target import Target, aimed, on
from signoff.service import ed25519
from signoff.workflow import bundle


@aimed
def audit(
    run: Annotated[str, typer.Argument(metavar="RUN|verify", help="The run's id; or verify, to check a file.")],
    file: Annotated[Path | None, typer.Argument(help="With verify: the evidence bundle.")] = None,
    *,
    key: Annotated[
        Path | None, typer.Option("--key", help="With verify: a file with the JWK or JWKS that has to have signed it.")
    ] = None,
    parent: Annotated[
        Path | None, typer.Option("--parent", help="With verify, of a fork: the bundle of the run it was forked from.")
    ] = None,
    json: options.Json = False,
    target: Target,
) -> None:
    """Print the evidence bundle of a run, for operators; or check one: signoff audit verify FILE."""
    if file is None:
        if key is not None or parent is not None:
            raise Misuse("--key and --parent go with: signoff audit verify FILE.")
        sys.stdout.buffer.write(on(target, lambda client: client.audit(run)))
        sys.stdout.flush()
        return
    if run != "verify":
        raise Misuse(f"signoff audit RUN exports, signoff audit verify FILE checks; {run!r} with a file is neither.")
    other = None if parent is None else _bytes(parent)
    proven = bundle.verify(_bytes(file), ed25519.is_good, None if key is None else _keys(key), parent=other)
    if json:
        output.as_json({**asdict(proven), "parent_checked": parent is not None})
        return
    whose = "a key you gave" if key is not None else "the key in it, which you have not compared: use --key"
    output.line(
        f"{proven.run_id}: {proven.entries} entries, {proven.decisions} decisions and {proven.denials} denials as they "
        f"were signed by {proven.key} ({whose})"
    )
    if proven.revocations:
        output.line(f"{proven.revocations} approvals that were remembered have been revoked.")
    if (forked := proven.forked_from) is not None:
        compared = "which you gave" if parent is not None else "which you have not compared: use --parent"
        output.line(f"Its first {forked.keep} entries are those of {forked.run_id}, {compared}.")
    if proven.hashed_from:
        output.line(f"The first {proven.hashed_from} entries have no hashes: an earlier release wrote them.")


def _keys(file: Path) -> list[dict[str, Any]]:
    try:
        value = orjson.loads(_bytes(file))
        found = value.get("keys", [value])
        return [dict(one.items()) for one in found]
    except (ValueError, TypeError, AttributeError) as error:
        raise Misuse(f"{file} has neither a JWK nor a JWKS: {error}.") from error


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise Misuse(f"{file} cannot be read: {error.strerror or error}.") from error

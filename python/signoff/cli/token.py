"""`signoff token`: print a token, or have tokens refused."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from signoff import tokens
from signoff.cli import options, output
from signoff.cli.misuse import Misuse
from signoff.cli.suggest import OurCommands
from signoff.cli.target import run_here
from signoff.client import SignoffClient

TokenPerson = Annotated[str | None, typer.Option("--as", metavar="PERSON", help="Who shows it.")]
TokenGroups = Annotated[list[str] | None, typer.Option("--group", metavar="GROUP", help="Of theirs. May be repeated.")]
TokenGrants = Annotated[list[str] | None, typer.Option("--grant", metavar="GRANT", help="May be repeated.")]
TokenTtl = Annotated[
    int, typer.Option("--ttl", metavar="DURATION", parser=options.period, help="How long it lasts; 15m unless given.")
]


def build() -> typer.Typer:
    """Return the sub-commands as one application."""
    app = typer.Typer(cls=OurCommands, help="Print a token, signed with SIGNOFF_SECRET; or have tokens refused.")
    app.callback(invoke_without_command=True)(make)
    app.command("revoke")(revoke)
    return app


def make(
    context: typer.Context,
    *,
    person: TokenPerson = None,
    group: TokenGroups = None,
    grant: TokenGrants = None,
    ttl: TokenTtl = "15m",  # type: ignore[assignment]
) -> int:
    """Print a token, signed with SIGNOFF_SECRET; SIGNOFF_AUDIENCE and SIGNOFF_ISSUER go into it."""
    if context.invoked_subcommand is not None:
        return 0
    if not person:
        raise Misuse("Say --as PERSON: who is to show the token.")
    secret = os.environ.get("SIGNOFF_SECRET")
    if not secret:
        raise Misuse("SIGNOFF_SECRET is not set: the secret of the server that is to take the token.")
    try:
        token = tokens.mint(
            os.fsencode(secret),
            person,
            groups=group or (),
            grants=grant or (),
            ttl_s=ttl / 1000,
            audience=os.environ.get("SIGNOFF_AUDIENCE") or None,
            issuer=os.environ.get("SIGNOFF_ISSUER") or None,
            operator="operator" in (grant or ()),
        )
    except ValueError as error:
        raise Misuse(str(error)) from error
    output.whole(token)
    return 0


def revoke(
    *,
    given: Annotated[str | None, typer.Argument(metavar="[TOKEN]", help="A token, or its `jti`.")] = None,
    of: Annotated[str | None, typer.Option("--of", metavar="PERSON", help="All that this person has so far.")] = None,
    server: options.Server = None,
    token: options.Token = None,
) -> int:
    """Have a token, or all of a person, refused from now on by every server of the deployment."""
    if (given is None) == (of is None):
        raise Misuse("Name a token, or --of PERSON.")

    async def run() -> dict[str, Any]:
        url = server or os.environ.get("SIGNOFF_SERVER") or "http://127.0.0.1:4437"
        async with SignoffClient(url, token=token or os.environ.get("SIGNOFF_TOKEN")) as client:
            if of is not None:
                return await client.revoke_tokens(sub=of)
            jti, until = _named(given or "")
            return await client.revoke_tokens(jti=jti, until=until)

    output.line(f"Revoked {run_here(run())['revoked']}.")
    return 0


def _named(given: str) -> tuple[str, datetime | None]:
    """Return the name of a token, and when it ends, as far as it says."""
    if given.count(".") != 2:
        return given, None
    named = named_in(given)
    if named is None:
        raise Misuse("This is no token with a `jti`; revoke what its person has: --of PERSON.")
    return named


def named_in(token: str) -> tuple[str, datetime | None] | None:
    """Return the `jti` of what is signed, whoever signed it, and until when it may be used; None: it has none."""
    import jwt  # noqa: PLC0415

    try:
        claims = jwt.decode(token, options={"verify_signature": False})
        ends = claims.get("exp")
        # Somewhat later, since servers let clocks disagree about it.
        return str(claims["jti"]), None if ends is None else datetime.fromtimestamp(int(ends) + 60, UTC)
    except (jwt.PyJWTError, KeyError, ValueError, OverflowError):
        return None

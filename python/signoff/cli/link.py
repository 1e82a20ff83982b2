"""`signoff link`: print a signed link to a request, or take one back."""

from __future__ import annotations

import os
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from signoff.cli import options, output
from signoff.cli.misuse import Misuse
from signoff.cli.request_verbs import only_request
from signoff.cli.suggest import OurCommands
from signoff.cli.target import Target, on
from signoff.cli.token import named_in
from signoff.client import DEFAULT_URL, SignoffClient
from signoff.links import PATH

_USUAL = "mint"


class _LinkCommands(OurCommands):
    """The sub-commands, of which `mint` need not be named: `signoff link RUN KEY`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the usual sub-command before what names none."""
        named = args[:1] and (args[0] in self.commands or args[0] in ctx.help_option_names)
        return super().parse_args(ctx, args if named or not args else [_USUAL, *args])


def build() -> typer.Typer:
    """Return the sub-commands as one application."""
    app = typer.Typer(
        cls=_LinkCommands,
        no_args_is_help=True,
        help="Print a signed link to a request (`signoff link RUN KEY`), or take one back.",
    )
    app.command(_USUAL)(mint)
    app.command("revoke")(revoke)
    return app


def mint(
    run: Annotated[str, typer.Argument(help="The run's id.")],
    key: Annotated[
        str | None,
        typer.Argument(help="The request's key, e.g. approve:0; may be absent if one is pending.", show_default=False),
    ] = None,
    *,
    to: Annotated[
        list[str] | None,
        typer.Option("--for", metavar="PRINCIPAL", help="A person, e.g. user:alice; repeated: groups of theirs."),
    ] = None,
    action: Annotated[
        list[str] | None, typer.Option("--action", metavar="ACTION", help="Allow this one alone. May be repeated.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Take one answer through it alone.")] = False,
    expires: Annotated[
        int | None,
        typer.Option(
            "--expires", metavar="DURATION", parser=options.period, help="How long it lasts; 7d unless given."
        ),
    ] = None,
    json: options.Json = False,
    server: options.Server = None,
    token: options.Token = None,
) -> int:
    """Print a link to a request: whoever has it answers as the person it is for, on that one request."""
    if not to:
        raise Misuse("Say --for PERSON, e.g. --for user:alice: who is to answer with it.")

    async def made(client: SignoffClient) -> dict[str, Any]:
        return await client.mint_link(
            run,
            key or await only_request(client, run),
            to,
            actions=action or None,
            expires_in=None if expires is None else -(-expires // 1000),
            once=once,
        )

    reply = on(_server(server, token), made)
    if json:
        output.as_json(reply)
        return 0
    output.whole(reply["url"])
    output.note(f"It ends {output.when(reply['expires_at'])}. To take it back: signoff link revoke {reply['id']}")
    return 0


def revoke(
    link: Annotated[str, typer.Argument(metavar="LINK", help="The link, or its id.")],
    *,
    server: options.Server = None,
    token: options.Token = None,
) -> int:
    """Have a link refused from now on by every server of the deployment."""
    id_, until = _named(link)
    reply = on(_server(server, token), lambda client: client.revoke_tokens(link=id_, until=until))
    output.line(f"Revoked {reply['revoked']}.")
    return 0


def _server(server: str | None, token: str | None) -> Target:
    """Return the server: only one knows where people reach it, and what it signs with."""
    return Target.of(None, server or os.environ.get("SIGNOFF_SERVER") or DEFAULT_URL, token)


def _named(link: str) -> tuple[str, datetime | None]:
    """Return the id of a link, and when it ends, as far as it says."""
    signed = urlsplit(link).path.rpartition(PATH)[2] if PATH in link else link
    if signed.count(".") != 2:
        return signed, None
    named = named_in(signed)
    if named is None:
        raise Misuse("This is no link, or a part of it was lost; name its id.")
    return named

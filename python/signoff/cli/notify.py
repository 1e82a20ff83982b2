"""`signoff notify …`: who is told of requests, and what is done when that fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from signoff.cli import options, output
from signoff.cli.misuse import Misuse
from signoff.cli.suggest import OurCommands
from signoff.cli.target import Target, aimed, on
from signoff.cli.values import content
from signoff.counts import counted
from signoff.workflow.notice import KINDS

_ID = Annotated[str, typer.Argument(metavar="TARGET", help="Its id; `signoff notify list` shows them.")]
_SECRETS = Annotated[
    list[str] | None,
    typer.Option("--secret", metavar="whsec_…", help="What it is signed with; one is made. May be repeated."),
]


def build() -> typer.Typer:
    """Return the sub-commands as one application."""
    app = typer.Typer(
        cls=OurCommands, no_args_is_help=True, help="Who is told of requests, and what is done when that fails."
    )
    for name, function in {
        "list": list_targets,
        "add": add,
        "retry": _verb("retry", "Tell a target at once of what failed, also of what was given up.", "tried again: {}"),
        "skip": skip,
        "pause": _verb("pause", "Tell a target nothing for now; what happens meanwhile waits.", "paused"),
        "resume": _verb("resume", "Go on with a target that was paused.", "goes on"),
        "sign": sign,
        "remove": _verb("remove", "Tell a target nothing more; what waits for it is dropped.", "removed"),
    }.items():
        app.command(name)(function)
    return app


@aimed
def list_targets(*, json: options.Json = False, target: Target) -> None:
    """List who is told of requests, how far they are, and what fails why."""
    reply = on(target, lambda client: client.targets())
    if json:
        output.as_json(reply)
        return
    output.table(
        ("Target", "Kind", "State", "Backlog", "Given up", "Next attempt", "Last error"),
        [
            (
                one["id"],
                one["kind"],
                "paused" if one["paused"] else "failing" if one["failing_since"] else "ok",
                str(one["backlog"]),
                str(one["failed"]),
                output.when(one["next_attempt"]),
                one["last_error"] or "",
            )
            for one in reply["targets"]
        ],
    )


@aimed
def add(
    id_: Annotated[str, typer.Argument(metavar="TARGET", help="What to call it.")],
    url: Annotated[str, typer.Argument(metavar="URL|@FILE|-", help="Where the webhook is; - reads standard input.")],
    *,
    secret: _SECRETS = None,
    workflow: Annotated[
        list[str] | None, typer.Option("--workflow", metavar="NAME", help="Only of this. May be repeated.")
    ] = None,
    event: Annotated[
        list[str] | None,
        typer.Option("--event", metavar="EVENT", callback=options.among(*KINDS), help="Only this. May be repeated."),
    ] = None,
    json: options.Json = False,
    target: Target,
) -> None:
    """Have a webhook told of requests from now on, and print its secret, which is shown this once."""
    where = content(url, "URL").decode().strip() if url == "-" or url.startswith("@") else url
    more = {"secrets": secret or None, "workflows": workflow or None, "events": event or None}
    reply = on(target, lambda client: client.add_target(id_, where, **more))
    if json:
        output.as_json(reply)
        return
    output.line(f"{id_} is told of requests from now on; what it gets is signed with:")
    for one in reply["secrets"]:
        output.line(one)


@aimed
def skip(
    id_: _ID,
    *,
    event: Annotated[
        str | None, typer.Option("--event", metavar="ID", help="This one alone, whether it has failed or not.")
    ] = None,
    json: options.Json = False,
    target: Target,
) -> None:
    """Give up what fails at a target, so that what waits behind it is told; `retry` takes it up again."""
    given = {} if event is None else {"event": event}
    reply = on(target, lambda client: client.act_on_target("skip", id_, **given))
    _tell(reply, f"{id_}: {counted(reply['count'], 'event')} given up", json=json)


@aimed
def sign(id_: _ID, *, secret: _SECRETS = None, json: options.Json = False, target: Target) -> None:
    """Sign what a webhook gets with these secrets from now on, with all of them: the new one and the old one."""
    if not secret:
        raise Misuse("Say --secret whsec_…, and the old one too as long as the receiver knows no other.")
    reply = on(target, lambda client: client.act_on_target("sign", id_, secrets=secret))
    _tell(reply, f"{id_} is signed with {counted(len(secret), 'secret')} from now on", json=json)


def _verb(name: str, summary: str, told: str) -> Callable[..., None]:
    def do(id_: _ID, *, json: options.Json = False, target: Target) -> None:
        reply = on(target, lambda client: client.act_on_target(name, id_))
        _tell(reply, f"{id_}: {told.format(reply['count'])}", json=json)

    do.__doc__ = summary
    do.__name__ = name
    return aimed(do)


def _tell(reply: dict[str, Any], words: str, *, json: bool) -> None:
    if json:
        output.as_json(reply)
    else:
        output.line(f"{words}.")

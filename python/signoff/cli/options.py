"""Options that several sub-commands have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeVar

import typer

from signoff.errors import BadRequest
from signoff.streams.subscriptions.target import Targets
from signoff.workflow.durations import duration_ms
from signoff.workflow.run.status import STATUSES


def period(given: str) -> int:
    """Read a length of time such as `30d`; return milliseconds."""
    try:
        return duration_ms(given)
    except BadRequest as error:
        raise typer.BadParameter(error.detail) from error


T = TypeVar("T", str | None, list[str] | None)


def not_empty(given: T) -> T:
    """Refuse an empty filter: it would take everything, where a script's variable that is not set was meant to narrow.

    Raises:
        BadParameter: it is empty.
    """
    if "" in ([given] if isinstance(given, str) else given or ()):
        raise typer.BadParameter("it is empty; nothing was done. Leave the option out to filter by something else.")
    return given


def among(*allowed: str) -> Callable[[T], T]:
    """Return what refuses a filter that names something else: nothing would ever fit it."""

    def check(given: T) -> T:
        for one in [given] if isinstance(given, str) else given or ():
            if not_empty(one) not in allowed:
                raise typer.BadParameter(f"{one!r:.100} is none; it is one of: {', '.join(allowed)}.")
        return given

    return check


Store = Annotated[
    str | None,
    typer.Option("--store", metavar="URL", help="Work on a store, without a server; or SIGNOFF_STORE."),
]
Server = Annotated[
    str | None,
    typer.Option("--server", metavar="URL", help="Ask a server; or SIGNOFF_SERVER, or http://127.0.0.1:4437."),
]
Token = Annotated[
    str | None, typer.Option("--token", metavar="JWT", help="The bearer token for --server; or SIGNOFF_TOKEN.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
BindHost = Annotated[str, typer.Option("--host", help="The address to listen on.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="The port to listen on; 0 picks a free one.")]
PageFolder = Annotated[str | None, typer.Option("--page", metavar="DIR", help="Serve a built page at /.")]
Console = Annotated[bool, typer.Option(help="Serve the built-in console at /console/.")]
Origins = Annotated[
    list[str] | None,
    typer.Option("--allow-origin", metavar="ORIGIN", help="Let pages of this origin call the API. May be repeated."),
]
AllowHeaders = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-header",
        metavar="NAME",
        help="Let pages of other origins send this header too. May be repeated; "
        "traceparent, tracestate and baggage unless given.",
    ),
]
PublicUrl = Annotated[
    str | None,
    typer.Option(
        "--public-url",
        metavar="URL",
        help="Where others reach this server, if not as it is called; or SIGNOFF_PUBLIC_URL.",
    ),
]
NotifyFile = Annotated[
    str | None,
    typer.Option(
        "--notify",
        metavar="FILE",
        help="Whom to tell by mail and chat, and where; or SIGNOFF_NOTIFY. Needs --public-url.",
    ),
]
WebhookTargets = Annotated[
    Targets | None,
    typer.Option(
        "--webhook-targets",
        metavar="WHERE",
        help="Where webhooks may be sent: public addresses, loopback: also this machine, or private: all networks. "
        "Or SIGNOFF_WEBHOOK_TARGETS; public unless given, loopback without a key.",
    ),
]
AccessLog = Annotated[bool, typer.Option("--access-log", help="Log every request.")]
MaxAppend = Annotated[
    int, typer.Option("--max-append", metavar="BYTES", min=1, help="How large one append to a stream may be.")
]
MaxOutput = Annotated[
    int,
    typer.Option("--max-output", metavar="BYTES", min=1, help="How long an output may become that steps write to."),
]
MaxReaders = Annotated[
    int, typer.Option("--max-readers", metavar="N", min=1, help="How many may read streams live at a time.")
]
MaxConnections = Annotated[
    int, typer.Option("--max-connections", metavar="N", min=1, help="How many connections are served at a time.")
]
MaxHeaders = Annotated[
    int, typer.Option("--max-headers", metavar="BYTES", min=1024, help="How large a request's headers may be.")
]
HeaderTimeout = Annotated[
    float, typer.Option("--header-timeout", metavar="SECONDS", min=0.1, help="In what time headers must have arrived.")
]
BodyTimeout = Annotated[
    float, typer.Option("--body-timeout", metavar="SECONDS", min=0.1, help="In what time a body must have arrived.")
]
KeepAlive = Annotated[
    float, typer.Option("--keep-alive", metavar="SECONDS", min=0.1, help="How long to keep a silent connection.")
]
WriteTimeout = Annotated[
    float,
    typer.Option("--write-timeout", metavar="SECONDS", min=0.1, help="How long a client may take next to nothing."),
]
WriteBytes = Annotated[
    int, typer.Option("--write-bytes", metavar="BYTES", min=1, help="What a client has to take in that time.")
]
LongPoll = Annotated[
    float, typer.Option("--long-poll", metavar="SECONDS", min=0.1, help="How long a long-poll waits for news.")
]
SseKeepAlive = Annotated[
    float,
    typer.Option("--sse-keep-alive", metavar="SECONDS", min=0.1, help="How long an SSE connection may be silent."),
]
SseMaxAge = Annotated[
    float,
    typer.Option("--sse-max-age", metavar="SECONDS", min=0.1, help="When an SSE client has to connect anew."),
]
Rate = Annotated[
    float,
    typer.Option("--rate", metavar="N", min=0, help="Calls a second each person may make; 0: any number."),
]
Burst = Annotated[int, typer.Option("--burst", metavar="N", min=1, help="As many calls at once.")]
Retention = Annotated[
    int | None,
    typer.Option(
        "--retention",
        metavar="DURATION",
        parser=period,
        help="Delete runs that ended so long ago, e.g. 30d; they are kept unless given.",
    ),
]
ActivationLimit = Annotated[
    float,
    typer.Option(
        "--activation-limit",
        metavar="SECONDS",
        min=0,
        help="How long workflow code may go on without waiting for anything; 0: for ever, for debuggers.",
    ),
]
Workflow = Annotated[
    str | None, typer.Option("--workflow", metavar="NAME", callback=not_empty, help="Only of this workflow.")
]
Statuses = Annotated[
    list[str] | None,
    typer.Option(
        "--status",
        metavar="STATUS",
        callback=among(*STATUSES),
        help="Only with this status, e.g. waiting; repeated: with any of them.",
    ),
]
Tags = Annotated[
    list[str] | None,
    typer.Option("--tag", metavar="TAG", callback=not_empty, help="Only with this tag; repeated: with all of them."),
]
StartedBy = Annotated[
    str | None,
    typer.Option(
        "--started-by",
        metavar="PRINCIPAL",
        callback=not_empty,
        help="Only started by this person, e.g. user:alice; or me.",
    ),
]
OlderThan = Annotated[
    int | None,
    typer.Option("--older-than", metavar="DURATION", parser=period, help="Only if started so long ago, e.g. 30d."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=500, help="How many to show.")]
Cursor = Annotated[str | None, typer.Option("--cursor", help="Where the previous page ended.")]

"""`signoff stream …`: create, append to, read, follow, fork, close and delete durable streams."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any

import httpx
import typer

from signoff.cli import options, output
from signoff.cli.misuse import Misuse
from signoff.cli.stream_facts import Facts, followed, messages, taken
from signoff.cli.suggest import OurCommands
from signoff.cli.target import Target, aimed, on
from signoff.cli.values import content
from signoff.client import SignoffClient, stream_address
from signoff.errors import Forbidden, Gone, NotFound, StreamDeleted, StreamNotFound, Unauthorized

Path = Annotated[str, typer.Argument(metavar="PATH", help="The stream's path, e.g. chat/42.")]
Data = Annotated[str | None, typer.Argument(metavar="[DATA|@FILE|-]", help="What to write; - reads standard input.")]
Offset = Annotated[str, typer.Option("--offset", help="Where to begin: -1, now, or an offset.")]
Ttl = Annotated[
    int | None, typer.Option("--ttl", metavar="SECONDS", min=0, help="Delete it when it is not used for so long.")
]
Expires = Annotated[str | None, typer.Option("--expires-at", metavar="TIME", help="Delete it then (RFC 3339).")]
ContentType = Annotated[str | None, typer.Option("--content-type", metavar="TYPE", help="What it holds.")]


def build() -> typer.Typer:
    """Return the sub-commands as one application."""
    app = typer.Typer(
        cls=OurCommands, no_args_is_help=True, help="Create, append to, read, follow, fork, close and delete streams."
    )
    for function in (create, append, read, tail, head, close, fork, delete):
        app.command()(function)
    return app


@aimed
def create(
    path: Path,
    data: Data = None,
    *,
    content_type: ContentType = "application/json",
    ttl: Ttl = None,
    expires_at: Expires = None,
    closed: Annotated[bool, typer.Option("--closed", help="Nothing shall follow.")] = False,
    compact: Annotated[
        bool, typer.Option("--compact", help="Give readers from the start its live rows, not all its history.")
    ] = False,
    json: options.Json = False,
    target: Target,
) -> None:
    """Create a stream, or find that it is there already."""
    headers = _headers(
        ("content-type", content_type),
        ("stream-ttl", ttl),
        ("stream-expires-at", expires_at),
        ("stream-closed", "true" if closed else None),
        ("stream-compaction", "state" if compact else None),
    )
    body = content(data, "DATA")
    response = _call(
        target.creating(),
        lambda client: client.on_stream("PUT", path, content=body, headers=headers),
    )
    _tell_created(path, response, json=json)


@aimed
def fork(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="The path of the stream to begin with.")],
    path: Path,
    *,
    at: Annotated[
        str | None, typer.Option("--at", metavar="OFFSET", help="Up to where; all of it unless given.")
    ] = None,
    plus: Annotated[
        int | None, typer.Option("--plus", metavar="N", min=0, help="And so many messages (or bytes) beyond --at.")
    ] = None,
    ttl: Ttl = None,
    expires_at: Expires = None,
    json: options.Json = False,
    target: Target,
) -> None:
    """Create a stream that begins with what another holds."""
    headers = _headers(
        ("stream-forked-from", stream_address(source)),
        ("stream-fork-offset", at),
        ("stream-fork-sub-offset", plus),
        ("stream-ttl", ttl),
        ("stream-expires-at", expires_at),
    )
    response = _call(target, lambda client: client.on_stream("PUT", path, headers=headers))
    _tell_created(path, response, json=json)


@aimed
def append(
    path: Path,
    data: Data,
    *,
    content_type: ContentType = None,
    seq: Annotated[str | None, typer.Option("--seq", help="A text that must be greater than the last one.")] = None,
    producer: Annotated[
        str | None, typer.Option("--producer", metavar="ID:EPOCH:SEQ", help="Makes a repetition harmless.")
    ] = None,
    close: Annotated[bool, typer.Option("--close", help="Nothing shall follow.")] = False,
    json: options.Json = False,
    target: Target,
) -> None:
    """Append to a stream; an array appends each of its elements to a stream of JSON."""
    body = content(data, "DATA")
    marks = _producer(producer)
    said = _headers(("stream-seq", seq), ("stream-closed", "true" if close else None))

    async def send(client: SignoffClient) -> httpx.Response:
        kind = content_type
        if kind is None:
            looked = await _look(client, path, instead=", or say its --content-type: then nothing is read")
            kind = Facts.of(path, looked).content_type
        return await client.on_stream("POST", path, content=body, headers={**said, **marks, "content-type": kind})

    response = _call(target, send)
    offset = response.headers["stream-next-offset"]
    repeated = bool(marks) and response.status_code == 204
    if json:
        output.as_json({"path": path, "offset": offset, "repeated": repeated, "closed": _closed(response)})
    elif repeated:
        output.line(f"{path} had this already; nothing was appended.")
    else:
        output.line(f"Appended; {path} goes on at {offset}.")


@aimed
def read(
    path: Path,
    *,
    offset: Offset = "-1",
    json: options.Json = False,
    target: Target,
) -> None:
    """Print what a stream holds: a message a line, or its bytes as they are."""
    _print(target, path, offset, follow=False, json=json)


@aimed
def tail(
    path: Path,
    *,
    offset: Offset = "-1",
    json: options.Json = False,
    target: Target,
) -> None:
    """Print what a stream holds and what comes, until it is closed."""
    _print(target, path, offset, follow=True, json=json)


@aimed
def head(
    path: Path,
    *,
    json: options.Json = False,
    target: Target,
) -> None:
    """Show a stream's type, its end, and whether it is closed."""
    facts = Facts.of(path, _call(target, lambda client: _look(client, path)))
    if json:
        output.as_json(facts.members())
    else:
        output.table(("", ""), [(name.replace("_", " "), value) for name, value in facts.members().items()])


@aimed
def close(
    path: Path,
    *,
    json: options.Json = False,
    target: Target,
) -> None:
    """End a stream as it is: nothing can be appended any more."""
    headers = {"stream-closed": "true"}
    response = _call(target, lambda client: client.on_stream("POST", path, headers=headers))
    offset = response.headers["stream-next-offset"]
    if json:
        output.as_json({"path": path, "offset": offset, "closed": True})
    else:
        output.line(f"{path} is closed at {offset}.")


@aimed
def delete(
    path: Path,
    *,
    json: options.Json = False,
    target: Target,
) -> None:
    """Delete a stream with all it holds."""
    _call(target, lambda client: client.on_stream("DELETE", path))
    if json:
        output.as_json({"path": path, "deleted": True})
    else:
        output.line(f"{path} is deleted.")


# -- parts -------------------------------------------------------------------------------------------------------------


def _call(target: Target, operation: Callable[[SignoffClient], Awaitable[httpx.Response]]) -> httpx.Response:
    return on(target, operation)


async def _look(client: SignoffClient, path: str, instead: str = "") -> httpx.Response:
    """Ask for a stream's head. A refusal of that has no body that gives the reason, so its status has to do.

    Args:
        instead: of a token that may read, what else helps.
    """
    try:
        return await client.on_stream("HEAD", path)
    except NotFound as error:
        raise StreamNotFound(f"There is no stream {path!r}; create it with: signoff stream create") from error
    except Unauthorized as error:
        raise Unauthorized(
            f"The server lets nobody read {path!r} without a token that is valid there. Give one with --token or "
            "SIGNOFF_TOKEN; if you did, it has expired or is another server's. Nothing was done."
        ) from error
    except Forbidden as error:
        raise Forbidden(
            f"Your token does not let you read {path!r}. Use one with the grant to read it{instead}. Nothing was done."
        ) from error
    except Gone as error:
        raise StreamDeleted(
            f"The stream {path!r} was deleted; what it held is kept for its forks alone. Read one of those, or use "
            "another path. Nothing was done."
        ) from error


def _headers(*pairs: tuple[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in pairs if value is not None}


def _producer(text: str | None) -> Mapping[str, str]:
    if text is None:
        return {}
    name, *numbers = text.rsplit(":", 2)
    if len(numbers) != 2 or not name or not all(number.isdecimal() for number in numbers):
        raise Misuse("--producer takes ID:EPOCH:SEQ, such as importer:0:17.")
    return {"producer-id": name, "producer-epoch": numbers[0], "producer-seq": numbers[1]}


def _closed(response: httpx.Response) -> bool:
    return "stream-closed" in response.headers


def _tell_created(path: str, response: httpx.Response, *, json: bool) -> None:
    created = response.status_code == 201
    if json:
        output.as_json({**Facts.of(path, response).members(), "created": created})
    else:
        output.line(f"Created {path}." if created else f"{path} was there already, with this configuration.")


def _print(target: Target, path: str, offset: str, *, follow: bool, json: bool) -> None:
    async def run(client: SignoffClient) -> None:
        async for response in followed(client, path, offset) if follow else taken(client, path, offset):
            _write(response, json=json)

    on(target, run)


def _write(response: httpx.Response, *, json: bool) -> None:
    found: Any = messages(response)
    if json:
        facts = {"offset": response.headers["stream-next-offset"], "closed": _closed(response)}
        output.as_json({**facts, **found})
        return
    if "messages" in found:
        for message in found["messages"]:
            output.as_json(message)
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(response.content)
    sys.stdout.flush()

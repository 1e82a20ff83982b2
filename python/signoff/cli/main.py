"""Put the sub-commands together and say in one line what went wrong.

Exit codes: 0 done, 1 refused by the product, 2 not understood, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.main import get_command

from signoff.cli import answer, cancel, dev, emit, inputs, send, server, show, start, stream, tail, worker
from signoff.cli import list as list_runs
from signoff.cli.output import plain
from signoff.errors import SignoffError

REFUSED, USAGE, INTERRUPTED = 1, 2, 130

_COMMANDS = (
    ("dev", dev.dev),
    ("server", server.server),
    ("worker", worker.worker),
    ("start", start.start),
    ("list", list_runs.list_runs),
    ("show", show.show),
    ("tail", tail.tail),
    ("inputs", inputs.inputs),
    ("answer", answer.answer),
    ("send", send.send),
    ("emit", emit.emit),
    ("cancel", cancel.cancel),
)


def _build() -> typer.Typer:
    app = typer.Typer(
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        help="Durable workflows whose other half is the browser.",
        epilog="Commands that look at runs take --server URL (SIGNOFF_SERVER; default http://127.0.0.1:4437) "
        "or --store URL (SIGNOFF_STORE). SIGNOFF_DEBUG=1 shows tracebacks.",
    )
    app.callback()(_root)
    for name, function in _COMMANDS:
        app.command(name)(function)
    app.add_typer(stream.build(), name="stream")
    return app


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"signoff {version('signoff')}")
        raise typer.Exit


def _root(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Take the options that belong to no sub-command."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code.

    Args:
        arguments: without the program's name; those of the process if None.
    """
    try:
        result: Any = get_command(_build()).main(
            args=None if arguments is None else list(arguments), prog_name="signoff", standalone_mode=False
        )
    except SignoffError as error:
        return _fail(_told(error), REFUSED)
    except typer.TyperException as error:
        return _fail(_told_usage(error), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        # Who read our output has gone; point stdout elsewhere so that the interpreter's last flush is quiet.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return REFUSED
    except Exception as error:
        return _fail(f"unexpected {type(error).__name__}: {error} (SIGNOFF_DEBUG=1 shows where)", REFUSED)
    return result if isinstance(result, int) else 0


def _told_usage(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    hint = f" See: {context.command_path} --help" if context is not None else ""
    return f"{error.format_message()}{hint}"


def _told(error: SignoffError) -> str:
    faults = error.extra.get("errors")
    if not isinstance(faults, list) or error.code != "invalid_answer":
        return error.detail
    said = [f"{fault['pointer'] or '/'}: {fault['message']}" for fault in faults]
    return f"{error.detail} {'; '.join(said)}"


def _fail(message: str, code: int) -> int:
    if os.environ.get("SIGNOFF_DEBUG") == "1":
        traceback.print_exc()
    line = plain(" ".join(message.split()))
    print(f"signoff: {line}", file=sys.stderr)
    return code

"""Put the sub-commands together and say in one line what went wrong.

Exit codes: 0 done, 1 refused by the product, 2 not understood, 130 interrupted; of `start --wait`, see `start.py`.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.main import get_command

from signoff import __version__
from signoff.cli.output import plain
from signoff.cli.suggest import AllCommands
from signoff.errors import SignoffError, Unauthorized

REFUSED, USAGE, INTERRUPTED = 1, 2, 130

_COMMANDS = {
    "dev": ("Serve", "dev"),
    "server": ("Serve", "server"),
    "worker": ("Serve", "worker"),
    "mcp": ("Serve", "mcp"),
    "start": ("Runs and their requests", "start"),
    "list": ("Runs and their requests", "list_runs"),
    "show": ("Runs and their requests", "show"),
    "tail": ("Runs and their requests", "tail"),
    "inputs": ("Runs and their requests", "inputs"),
    "answer": ("Runs and their requests", "answer"),
    "approvals": ("Runs and their requests", "build"),
    "link": ("Runs and their requests", "build"),
    "send": ("Runs and their requests", "send"),
    "emit": ("Runs and their requests", "emit"),
    "prune": ("Operate", "prune"),
    "doctor": ("Operate", "doctor"),
    "notify": ("Operate", "build"),
    "token": ("Operate", "build"),
    "audit": ("Operate", "audit"),
    "db": ("Operate", "build"),
    "stream": ("Streams", "build"),
}
"""Each sub-command with its group in `signoff --help`, and its function in the module of its name. Only the one that is
called is imported. What may be done to a run has commands beside these, made of what is declared (`verbs.py`), at the
beginning of "Operate"; what may be done to a request (`request_verbs.py`) after `answer`."""

_ON_REQUESTS = "Runs and their requests"


def _build(names: Iterable[str]) -> typer.Typer:
    app = typer.Typer(
        cls=AllCommands,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        help="Durable workflows whose other half is the browser.",
        epilog="Commands that look at runs take --server URL (SIGNOFF_SERVER; default http://127.0.0.1:4437) "
        "or --store URL (SIGNOFF_STORE). SIGNOFF_DEBUG=1 shows tracebacks.",
    )
    app.callback()(_root)
    for name in names:
        if name not in _COMMANDS:
            panel = "Operate" if name in _verbs() else _ON_REQUESTS
            app.command(name, rich_help_panel=panel)((_verbs() | _request_verbs())[name])
            continue
        panel, attribute = _COMMANDS[name]
        function = getattr(import_module(f"signoff.cli.{name}"), attribute)
        if attribute == "build":
            app.add_typer(function(), name=name, rich_help_panel=panel)
        else:
            app.command(name, rich_help_panel=panel)(function)
    return app


def command(names: Iterable[str] | None = None) -> Any:
    """Return the command with these of its sub-commands; None: all."""
    return get_command(_build(_everything() if names is None else names))


def _everything() -> list[str]:
    names = list(_COMMANDS)
    answered, operate = names.index("answer") + 1, names.index("prune")
    return [*names[:answered], *_request_verbs(), *names[answered:operate], *_verbs(), *names[operate:]]


def _called(arguments: Sequence[str]) -> Iterable[str] | None:
    """Return the sub-commands that have to be there: the one that is called, or all, to tell of them."""
    first = arguments[0] if arguments else ""
    return (first,) if first in _COMMANDS or first in _verbs() or first in _request_verbs() else None


def _verbs() -> dict[str, Callable[..., None]]:
    return import_module("signoff.cli.verbs").COMMANDS  # type: ignore[no-any-return]


def _request_verbs() -> dict[str, Callable[..., None]]:
    return import_module("signoff.cli.request_verbs").COMMANDS  # type: ignore[no-any-return]


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"signoff {__version__}")
        raise typer.Exit


def _root(
    _: Annotated[
        bool, typer.Option("--version", "-V", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Take the options that belong to no sub-command."""


def run(arguments: Sequence[str]) -> int:
    """Run the command line; return the exit code.

    Args:
        arguments: without the program's name.
    """
    try:
        result: Any = command(_called(arguments)).main(args=list(arguments), prog_name="signoff", standalone_mode=False)
    except SignoffError as error:
        return _fail(_in_words(error), REFUSED)
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


def _in_words(error: SignoffError) -> str:
    if isinstance(error, Unauthorized):
        return f"{error.detail} Give a token with --token or SIGNOFF_TOKEN."
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

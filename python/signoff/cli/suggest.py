"""Say which command was meant by one that there is not: by what people call it elsewhere, then by likeness."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, Final

from typer import TyperException
from typer.core import TyperGroup

ENDS: Final = frozenset(
    {"cancel", "close", "delete", "prune", "remove", "revoke", "rewind", "skip", "terminate", "withdraw"}
)
"""Commands that delete or end something: nobody is led to one because it is spelled like what they meant."""

_MEANT_BY: Final[dict[tuple[str, ...], str]] = {
    ("list",): "runs ls ps",
    ("show",): "status get describe inspect info view result results output outputs",
    ("show --history",): "history journal",
    ("show --history", "tail"): "logs log events",
    ("tail",): "watch follow wait",
    ("start",): "run new create launch trigger exec execute",
    ("inputs",): "requests pending inbox tasks todo",
    ("answer",): "approve reject deny decide respond reply submit",
    ("send",): "signal event",
    ("emit",): "publish broadcast",
    ("dev", "server"): "serve up",
    ("worker",): "work workers",
    ("cancel",): "stop abort",
    ("terminate",): "kill",
    ("pause",): "suspend hold",
    ("resume",): "continue unpause",
    ("retry",): "restart rerun",
    ("delete",): "rm del",
    ("prune",): "cleanup purge gc",
    ("doctor",): "check health diagnose",
    ("notify",): "webhook webhooks notifications",
    ("token",): "tokens login auth",
    ("db upgrade",): "migrate upgrade",
    ("stream",): "streams",
    ("--version",): "version",
    ("--help",): "help",
}

MEANT: Final = {word: meant for meant, words in _MEANT_BY.items() for word in words.split()}
"""What people try first, each with what is meant here."""


class OurCommands(TyperGroup):
    """Commands that lead whoever misspells one to another, and never to one that ends or deletes something."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given | {"suggest_commands": False})

    def meant(self, called: str) -> tuple[str, ...]:
        """Return what was probably meant; nothing if that is most like what ends or deletes."""
        like = get_close_matches(called.lower(), self.commands)
        return () if like and like[0] in ENDS else tuple(name for name in like if name not in ENDS)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that is called.

        Raises:
            TyperException: there is none; it says what was probably meant.
        """
        try:
            return super().resolve_command(ctx, args)
        except TyperException as error:
            if meant := self.meant(args[0]):
                told = ", ".join(f"'{words}'" for words in meant)
                error.message = f"{error.message.rstrip('.')}. Did you mean {told}?"
            raise


class AllCommands(OurCommands):
    """The commands of `signoff` itself."""

    def meant(self, called: str) -> tuple[str, ...]:
        """Return what people mean by it who know other tools, or else what is spelled like it."""
        return MEANT.get(called.lower()) or super().meant(called)

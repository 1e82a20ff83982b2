"""What commands print: tables for people, JSON for programs.

Text comes from runs and people, so control characters are made visible: nobody else writes to this terminal.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

_COLOURS = {
    "running": "cyan",
    "retrying": "yellow",
    "waiting": "yellow",
    "pending": "yellow",
    "sleeping": "blue",
    "blocked": "red",
    "failed": "red",
    "expired": "red",
    "completed": "green",
    "answered": "green",
}
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_WIDE = 10_000


def console() -> Console:
    """Return the console; where there is no terminal, lines are as long as they need to be."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)


def plain(text: str) -> str:
    """Return the text with control characters and broken Unicode replaced."""
    safe = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(char if char.isprintable() else " " if char in "\n\t\r" else "\ufffd" for char in safe)


def cell(value: Any) -> Text:
    """Return a table cell."""
    if value is None:
        return Text("-", style="dim")
    if isinstance(value, (list, tuple)):
        return Text(", ".join(plain(str(item)) for item in value))
    text = plain(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    return Text(text, style=_COLOURS.get(text, ""))


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table; without a header if no column has a name."""
    laid_out = Table(box=None, header_style="bold", pad_edge=False, show_header=any(columns))
    for column in columns:
        laid_out.add_column(column, overflow="fold")
    for row in rows:
        laid_out.add_row(*(value if isinstance(value, Text) else cell(value) for value in row))
    screen = console()
    if screen.is_terminal:
        screen.print(laid_out)
        return
    with screen.capture() as captured:
        screen.print(laid_out)
    for text in captured.get().splitlines():
        print(text.rstrip())


def line(text: str) -> None:
    """Print a sentence."""
    console().print(Text(plain(text)))


def whole(text: str) -> None:
    """Print a text that is copied, such as an address: on one line, however narrow the terminal is."""
    print(plain(text))


def note(text: str) -> None:
    """Print a sentence beside the output, on stderr."""
    print(plain(text), file=sys.stderr)


def as_json(value: Any) -> None:
    """Print JSON on one line."""
    sys.stdout.write(json.dumps(value, ensure_ascii=not _unicode(), separators=(",", ":")) + "\n")
    sys.stdout.flush()


def _unicode() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def when(time: str | None, now: datetime | None = None) -> Text:
    """Return a row's time as local time with its distance from now.

    Args:
        time: RFC 3339 as rows have it.
        now: for tests; the machine's clock if None.
    """
    if time is None:
        return cell(None)
    moment = datetime.fromisoformat(time)
    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    return Text.assemble(local(time), (f" ({distance(seconds)})", "dim"))


def milliseconds(time: str) -> int:
    """Return a row's time in milliseconds."""
    return round(datetime.fromisoformat(time).timestamp() * 1_000)


def local(time: str) -> str:
    """Return a row's time in this machine's time zone."""
    return datetime.fromisoformat(time).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def distance(seconds: float) -> str:
    """Say how long ago, or in how long.

    Example:
        >>> distance(150), distance(-90)
        ('2 min ago', 'in 1 min')
    """
    for size, unit in _UNITS:
        count = int(abs(seconds) // size)
        if count:
            return f"{count} {unit} ago" if seconds > 0 else f"in {count} {unit}"
    return "now"

"""How the code publishes rows of the application's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from signoff.names import check_name, check_text
from signoff.workflow import codec
from signoff.workflow.offer import Feeds, Offer
from signoff.workflow.row.entries import RowPublished

if TYPE_CHECKING:
    from signoff.workflow.commands import Commands

RESERVED_ROWS = frozenset({"run", "step", "input", "progress", "vote", "comment", "draft"})

MOST_ROW = 1 << 20
"""Bytes of a published row as JSON."""


class Rows(Offer):
    """Rows for browsers, to be published."""

    __slots__ = ()

    def publish(self, row_type: str, key: str, value: Any | None) -> None:
        """Publish a row of your own to whoever may see the run; None deletes it.

        Args:
            row_type: any name but those of the engine (run, step, input, progress, …).
            key: unique among rows of the type; repeated in the value as `id`.
            value: something that becomes a JSON object, of 1 MiB at most.
        """
        if row_type in RESERVED_ROWS:
            raise ValueError(f"Rows of the type {row_type!r} are written by the engine; choose another name.")
        check_name(row_type, "row type")
        if not isinstance(key, str) or not 1 <= len(key) <= 256 or not key.isprintable():
            raise ValueError("The key of a row is a text of 1 to 256 printable characters.")
        row = codec.public_json(value)
        if row is not None and not isinstance(row, dict):
            raise TypeError("The value of a row is an object (a model or a dictionary), or None to delete it.")
        if row is not None and "_seq" in row:
            raise ValueError("A row cannot have a member called _seq.")
        if row is not None and (size := len(orjson.dumps(row))) > MOST_ROW:
            raise ValueError(
                f"A row has {MOST_ROW} bytes as JSON at most, not {size}: publish a link, or use a stream."
            )
        _publish(self._commands, row_type, key, row)

    def progress(self, fraction: float | None, message: str | None = None, name: str = "main") -> None:
        """Tell how far the run has come.

        Args:
            fraction: 0 to 1, or None if unknown.
            message: for people.
            name: of the bar, if there are several.
        """
        if fraction is not None and not 0 <= fraction <= 1:
            raise ValueError("Progress is a fraction from 0 to 1, or None.")
        check_text(message, "message of a progress bar")
        if fraction is not None and type(fraction) is not int:
            fraction = float(fraction)  # a Decimal or a number of NumPy's is no JSON
        check_name(name, "name of a progress bar")
        _publish(self._commands, "progress", name, {"id": name, "fraction": fraction, "message": message})


def _publish(commands: Commands, row_type: str, key: str, value: dict[str, Any] | None) -> None:
    """Publish a row, or delete it; deleting what is not there does nothing."""
    known = (row_type, key) in commands.rows
    if value is None and not known:
        return
    commands.issue(RowPublished, f"{row_type}/{key}", row_type, key, value, known)
    if value is None:
        commands.rows.discard((row_type, key))
    else:
        commands.rows.add((row_type, key))


FEEDS: Feeds = {}

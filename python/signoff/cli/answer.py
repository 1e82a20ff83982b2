"""`signoff answer`: answer a request for input; at a terminal field by field, with errors where they are."""

from __future__ import annotations

import json as json_text
import uuid
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import typer

from signoff.cli import options, output
from signoff.cli.attaching import attached
from signoff.cli.dialogue import agreed, attended, chosen, say
from signoff.cli.filling import fill, mend
from signoff.cli.misuse import Misuse
from signoff.cli.target import Target, aimed, on
from signoff.cli.values import json_value
from signoff.client import SignoffClient
from signoff.errors import Forbidden, InvalidAnswer, NotFound
from signoff.workflow.input.choices import FORM_ACTIONS

_SOON_S = 1
"""Seconds in which most answers are judged: until then nothing is said of it."""

_LOOK_S = 5
"""Seconds after which to look whether the run is paused."""


@aimed
def answer(
    run: Annotated[str, typer.Argument(help="The run's id.")],
    key: Annotated[str, typer.Argument(help="The request's key, e.g. approve:0.")],
    *,
    action: Annotated[str | None, typer.Option("--action", help="What to do; may be absent if there is one.")] = None,
    value: Annotated[
        str | None, typer.Option("--value", metavar="JSON|@FILE|-", help="The answer; - reads standard input.")
    ] = None,
    submission_id: Annotated[
        str | None, typer.Option("--submission-id", help="Keep it when you try again. Random if absent.")
    ] = None,
    seen_offset: Annotated[
        str | None, typer.Option("--seen-offset", help="The `revised` of the row you saw; the current one if absent.")
    ] = None,
    asked_at: Annotated[
        str | None,
        typer.Option("--asked-at", help="The `asked_at` of that row; the current one if neither is given."),
    ] = None,
    json: options.Json = False,
    target: Target,
) -> None:
    """Answer a request for input, exactly once.

    At a terminal you are asked for what you leave out, field by field.
    """
    body = {
        "action": action,
        "value": json_value(value, "--value"),
        "seen_offset": seen_offset,
        "asked_at": asked_at,
        "submission_id": str(uuid.uuid4()) if submission_id is None else submission_id,
    }
    if value is None and not json and attended():
        reply = _Asking(target, run, key, body).reply()
    else:
        reply = on(target, lambda client: _answer(client, run, key, body))
    if json:
        output.as_json({name: value for name, value in reply.items() if name != "action"})
        return
    output.line(_told(run, reply))


def _told(run: str, reply: dict[str, Any]) -> str:
    """Return what became of an answer, in a line."""
    row, action = reply["row"], reply["action"]
    if reply["outcome"] == "voted":
        same = sum(vote["action"] == action for vote in row["votes"])
        return f"Voted {action} on: {row['title']} ({same} of {row['quorum']['need']}; still pending)"
    if reply["outcome"] == "validating":
        return (
            f"Being checked: {row['title']} ({action}). The run is paused, so that there is no verdict before "
            f"`signoff resume {run}`; nothing is decided yet."
        )
    if row["status"] != "answered":
        return f"Gone back from: {row['title']}"
    by = row["decided_by"]
    return f"Accepted: {row['title']} ({row['action']}, by {by['id'] or by['kind']})"


async def _answer(client: SignoffClient, run: str, key: str, body: dict[str, Any]) -> dict[str, Any]:
    """Answer; what was left out is taken from the request as it is now."""
    if body["action"] is None or body["seen_offset"] is None:
        row = (await client.input(run, key))["input"]
        if body["action"] is None:
            body["action"] = _only(row["actions"])
        body |= _seen(body, row)
    return await _settled(client, run, key, body)


async def _settled(client: SignoffClient, run: str, key: str, body: dict[str, Any]) -> dict[str, Any]:
    """Send an answer, and say so if it is being checked; return the reply, and the `action` that was sent.

    There is no verdict while the run is paused, so that is not waited for.
    """
    wait_s = _SOON_S
    while True:
        reply = await client.answer(run, key, **body, wait_s=wait_s)
        if reply["outcome"] != "validating" or await _is_paused(client, run):
            return {**reply, "action": body["action"]}
        if wait_s == _SOON_S:
            again = f"--submission-id {body['submission_id']}"
            output.note(
                "Your answer is being checked; while the run is paused, that waits. Stop waiting, and nothing is"
            )
            output.note(f"taken back: send the same again with {again} to learn what came of it.")
        wait_s = _LOOK_S


async def _is_paused(client: SignoffClient, run: str) -> bool:
    try:
        return bool((await client.get(run))["run"]["status"] == "paused")
    except (Forbidden, NotFound):  # whoever may answer may not see the run, perhaps
        return False


def _seen(body: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    """Return which request was seen, and up to where: as it was said, or the row that is there now."""
    if body["seen_offset"]:
        return {name: body[name] for name in ("seen_offset", "asked_at")}
    return {"seen_offset": row["revised"], "asked_at": body["asked_at"] or row["asked_at"]}


def _only(actions: list[str]) -> str:
    if len(actions) != 1:
        raise Misuse(f"Say --action: one of {', '.join(actions)}.")
    return actions[0]


# -- at a terminal -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Asking:
    """An answer on its way from somebody at a terminal.

    Attributes:
        target: where the request is.
        run, key: which it is.
        body: of the answer; what is None is asked for, or taken from the row.
    """

    target: Target
    run: str
    key: str
    body: dict[str, Any]

    def reply(self) -> dict[str, Any]:
        """Ask, and send, until the server takes it or refuses it for good; return its reply.

        Raises:
            Abort: whoever was asked does not want to send it.
        """
        row = on(self.target, lambda client: client.input(self.run, self.key))["input"]
        pending = row["status"] == "pending"
        if pending:
            _show(row)
        action = self.body["action"] or (_chosen_action(row) if pending else row["actions"][0])
        if action not in row["actions"]:
            raise Misuse(f"--action is one of {', '.join(row['actions'])}.")
        choice = row.get("choices", {}).get(action, {})
        form = _form(row, action, choice) if pending else None
        value = None if form is None else fill(form, row["initial"])
        if choice.get("confirm") and pending and not agreed(choice["confirm"], False):
            say("Nothing was sent.")
            raise typer.Abort
        body = self.body | {"action": action} | _seen(self.body, row)
        while True:
            try:
                value = on(self.target, partial(attached, run=self.run, key=self.key, value=value))
                return self._sent(body | {"value": value})
            except InvalidAnswer as error:
                if not form:
                    raise
                value = mend(form, value, error.extra.get("errors", ()))
                body["submission_id"] = str(uuid.uuid4())  # what the workflow has refused stays so under its id

    def _sent(self, body: dict[str, Any]) -> dict[str, Any]:
        return on(self.target, lambda client: _settled(client, self.run, self.key, body))


def _show(row: dict[str, Any]) -> None:
    """Show what the person decides about."""
    say(row["title"])
    for line in (row["description"] or "").splitlines():
        say(f"  {line}")
    shown = row["show"]
    if isinstance(shown, dict):
        for name, value in shown.items():
            say(f"  {name}: {_text(value)}")
    elif shown is not None:
        say(f"  {_text(shown)}")
    say()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json_text.dumps(value, ensure_ascii=False)


def _chosen_action(row: dict[str, Any]) -> str:
    actions: list[str] = row["actions"]
    if len(actions) == 1:
        return actions[0]
    labels = [row["choices"][action]["label"] for action in actions] if "choices" in row else actions
    index = chosen("What do you want to do?", labels)
    assert index is not None
    return actions[index]


def _form(row: dict[str, Any], action: str, choice: dict[str, Any]) -> list[dict[str, Any]] | None:
    """Return the fields to ask for; None where there is nothing to fill in, or no value is needed."""
    if "schema" in choice:
        return choice["form"]  # type: ignore[no-any-return]
    return row.get("form") if action in FORM_ACTIONS else None

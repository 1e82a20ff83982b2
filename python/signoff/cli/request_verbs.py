"""`signoff withdraw|claim|… RUN KEY`: what may be done to a request, one command for each that is declared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import Parameter, Signature
from typing import Annotated, Any

import typer

from signoff.cli import options, output
from signoff.cli.misuse import Misuse
from signoff.cli.target import Target, aimed, on
from signoff.cli.values import json_value
from signoff.client import SignoffClient
from signoff.service.inputs import REQUEST_VERBS
from signoff.workflow.input.verb import RequestVerb
from signoff.workflow.verb import Member

_RUN = Annotated[str, typer.Argument(help="The run's id.")]
_KEY = Annotated[
    str | None,
    typer.Argument(help="The request's key, e.g. approve:0; may be absent if one is pending.", show_default=False),
]


def command_of(verb: RequestVerb) -> Callable[..., int]:
    """Return the function of a verb's command: its parameters are run and key, what the body takes, and where it is."""
    members = {_parameter_name(member): member for member in verb.members}

    def do(run: str, key: str | None = None, *, json: bool, target: Target, **given: Any) -> int:
        body = {members[name].name: _value(members[name], value) for name, value in given.items() if value}
        for member in verb.members:
            if member.required and member.name not in body:
                raise Misuse(f"Missing option {_option(member)}: {member.help}")
        reply = on(target, lambda client: _act(client, verb, run, key, body))
        if json:
            output.as_json(reply)
        else:
            output.line(_told(verb, run, reply["input"]))
        return 0

    annotations: dict[str, Any] = {"run": _RUN, "key": _KEY}
    annotations |= {name: _annotation(member) for name, member in members.items()}
    annotations |= {"json": options.Json, "target": Target}
    do.__annotations__ = annotations
    do.__signature__ = Signature([_parameter(name, of) for name, of in annotations.items()])  # type: ignore[attr-defined]
    do.__doc__ = f"{verb.summary}."
    do.__name__ = verb.name
    return aimed(do)


async def _act(client: SignoffClient, verb: RequestVerb, run: str, key: str | None, body: Mapping[str, Any]) -> Any:
    return await client.act_on(verb.name, run, key or await only_request(client, run), **body)


async def only_request(client: SignoffClient, run: str) -> str:
    """Return the key of the one request that a run waits for."""
    pending = [row["id"] for row in (await client.get(run))["inputs"]]
    if len(pending) == 1:
        return str(pending[0])
    if not pending:
        raise Misuse(f"The run {run} waits for no answer. To see what was asked: signoff inputs --status any")
    raise Misuse(f"The run {run} waits for {len(pending)} answers; say which: {', '.join(pending)}.")


def _told(verb: RequestVerb, run: str, row: Mapping[str, Any]) -> str:
    claim = row["claim"] or {"by": {"id": "nobody"}, "until": None}
    asked = ", ".join(row["audience"]) or "operators"
    return verb.said.format(
        run=run, key=row["id"], status=row["status"], by=claim["by"]["id"], until=output.when(claim["until"]), to=asked
    )


def _value(member: Member, given: Any) -> Any:
    return json_value(given, _option(member)) if member.json else given


def _option(member: Member) -> str:
    return f"--{member.name.replace('_', '-')}"


def _parameter_name(member: Member) -> str:
    """Return how the function calls a member, since some are words of Python (`for`)."""
    return f"{member.name}_"


def _annotation(member: Member) -> Any:
    metavar = "JSON|@FILE|-" if member.json else None
    option = typer.Option(_option(member), help=member.help, metavar=metavar)
    if member.switch:
        return Annotated[bool, option]
    return Annotated[list[str] | None, option] if member.many else Annotated[str | None, option]


def _parameter(name: str, annotation: Any) -> Parameter:
    if name == "run":
        return Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, annotation=annotation)
    if name == "key":
        return Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=annotation)
    default = {"json": False, "target": Parameter.empty}.get(name)
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


COMMANDS = {name: command_of(verb) for name, verb in REQUEST_VERBS.items()}

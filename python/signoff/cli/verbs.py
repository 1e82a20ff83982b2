"""`signoff cancel|terminate|retry|… RUN`: what may be done to a run, one command for each that is declared."""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, Signature
from typing import Annotated, Any

import typer

from signoff.cli import options, output
from signoff.cli.target import Target, on
from signoff.service.act import VERBS
from signoff.workflow.verb import Member, Verb

_TARGET = {"json": options.Json, "store": options.Store, "server": options.Server, "token": options.Token}


def command_of(verb: Verb) -> Callable[..., None]:
    """Return the function of a verb's command: its parameters are the run, what the body takes, and where it is."""

    def do(run: str, *, json: bool, store: str | None, server: str | None, token: str | None, **body: Any) -> None:
        target = Target.of(store, server, token)
        given = {name: value for name, value in body.items() if value not in (None, False)}
        reply = on(target, lambda client: client.act(verb.name, run, **given))
        if json:
            output.as_json(reply)
            return
        told = {"run": run, "new": reply["run"]["id"], "status": reply["run"]["status"]}
        output.line(verb.said.format(**told))
        if hint := verb.hints.get(told["status"]):
            output.note(hint.format(**told))

    annotations: dict[str, Any] = {"run": Annotated[str, typer.Argument(help="The run's id.")]}
    annotations |= {member.name: _annotation(member) for member in verb.members} | _TARGET
    do.__annotations__ = annotations
    do.__signature__ = Signature([_parameter(verb, name, of) for name, of in annotations.items()])  # type: ignore[attr-defined]
    do.__doc__ = f"{verb.summary}."
    do.__name__ = verb.name
    return do


def _annotation(member: Member) -> Any:
    if member.required:
        return Annotated[str, typer.Argument(help=member.help)]
    option = typer.Option(f"--{member.name.replace('_', '-')}", help=member.help)
    return Annotated[bool, option] if member.switch else Annotated[str | None, option]


def _parameter(verb: Verb, name: str, annotation: Any) -> Parameter:
    argument = name == "run" or any(member.name == name and member.required for member in verb.members)
    if argument:
        return Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, annotation=annotation)
    switch = name == "json" or any(member.name == name and member.switch for member in verb.members)
    return Parameter(name, Parameter.KEYWORD_ONLY, default=False if switch else None, annotation=annotation)


COMMANDS = {name: command_of(verb) for name, verb in VERBS.items()}

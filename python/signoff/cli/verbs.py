"""`signoff cancel|terminate|retry|… RUN`: what may be done to a run, one command for each that is declared.

Each takes `--all` with filters in place of RUN (`bulk.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from inspect import Parameter, Signature
from typing import Annotated, Any, get_type_hints

import typer

from signoff.cli import options, output
from signoff.cli.bulk import Chosen, act_on_many, agreed
from signoff.cli.misuse import Misuse
from signoff.cli.target import Target, aimed, on
from signoff.service.act import VERBS
from signoff.workflow.run.status import STATUSES
from signoff.workflow.verb import Member, Verb

_WHERE = {"json": options.Json, "target": Target}
_CHOSEN = get_type_hints(Chosen, include_extras=True)
_UNLESS_GIVEN = {one.name: one.default for one in fields(Chosen)} | {"json": False, "target": Parameter.empty}


def command_of(verb: Verb) -> Callable[..., int]:
    """Return the function of a verb's command: its parameters are the run, what the body takes, and where it is."""

    def do(*, json: bool, target: Target, **given: Any) -> int:
        chosen = Chosen(**{name: given.pop(name) for name in _CHOSEN})
        if chosen.every:
            chosen, given = _shifted(verb, chosen, given)
        body = {name: value for name, value in given.items() if value not in (None, False)}
        run = chosen.one
        for member in verb.members:
            if member.required and member.name not in body:
                raise Misuse(f"Missing argument {member.name.upper()}: {member.help}")
        if run is None:
            act = lambda client, run: client.act(verb.name, run, **body)  # noqa: E731
            return act_on_many(target, chosen, verb.name, act, unless_given=verb.statuses, json=json)
        if verb.question and not agreed(verb.question.format(run=run), yes=chosen.yes):
            return 1
        _tell(verb, run, on(target, lambda client: client.act(verb.name, run, **body)), json=json)
        return 0

    annotations: dict[str, Any] = {"run": _CHOSEN["run"]}
    annotations |= {member.name: _annotation(member) for member in verb.members}
    annotations |= {name: of for name, of in _CHOSEN.items() if name != "run"} | {"status": _statuses(verb)} | _WHERE
    do.__annotations__ = annotations
    do.__signature__ = Signature([_parameter(verb, name, of) for name, of in annotations.items()])  # type: ignore[attr-defined]
    do.__doc__ = f"{verb.summary}."
    do.__name__ = verb.name
    return aimed(do)


def _tell(verb: Verb, run: str, reply: Mapping[str, Any], *, json: bool) -> None:
    if json:
        output.as_json(reply)
        return
    told = {"run": run, "new": reply["run"]["id"], "status": reply["run"]["status"]}
    output.line(verb.said.format(**told))
    if hint := verb.hints.get(told["status"]):
        output.note(hint.format(**told))


def _shifted(verb: Verb, chosen: Chosen, given: dict[str, Any]) -> tuple[Chosen, dict[str, Any]]:
    """Return what is meant where `--all` stands for the run: the arguments that were given are those after it."""
    names = [member.name for member in verb.members if member.required]
    values = [chosen.run, *(given[name] for name in names)]
    if names and values[-1] is None:
        given = given | dict(zip(names, values, strict=False))
        chosen = replace(chosen, run=None)
    return chosen, given


def _annotation(member: Member) -> Any:
    if member.required:
        return Annotated[str | None, typer.Argument(help=member.help, show_default=False)]
    option = typer.Option(f"--{member.name.replace('_', '-')}", help=member.help)
    return Annotated[bool, option] if member.switch else Annotated[str | None, option]


def _statuses(verb: Verb) -> Any:
    taken = "all of them" if len(verb.statuses) == len(STATUSES) else ", ".join(verb.statuses)
    told = f"Only with this status; repeated: with any of them. Unless given: {taken}."
    checked = options.among(*STATUSES)
    return Annotated[list[str] | None, typer.Option("--status", metavar="STATUS", callback=checked, help=told)]


def _parameter(verb: Verb, name: str, annotation: Any) -> Parameter:
    member = next((member for member in verb.members if member.name == name), None)
    if name == "run" or (member is not None and member.required):
        return Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=annotation)
    default = _UNLESS_GIVEN[name] if member is None else False if member.switch else None
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


COMMANDS = {name: command_of(verb) for name, verb in VERBS.items()}

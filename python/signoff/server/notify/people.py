"""Where people are reached by mail and chat, as the configuration of a deployment says."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from signoff.errors import InvalidName
from signoff.names import check_name, is_principal
from signoff.workflow.notice import KINDS, RequestEvent

ASKING: Final = ("asked", "reminded", "escalated", "revised")
"""Events after which somebody has something to do; people are told of these unless the configuration says others."""

MOST_PEOPLE: Final = 10_000
MOST_MEMBERS: Final = 100
"""Persons that one target reaches, and that a group of it has."""

_TO: Final = "{to}"
_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_MEMBERS: Final = frozenset({"url", "people", "events", "workflows"})


@dataclass(frozen=True, slots=True)
class PeopleTarget:
    """A service that apprise knows, and whom it reaches where. Nothing of it is kept in the store.

    Attributes:
        id: by which operators name it.
        url: of the service, as apprise writes it, such as `mailtos://user:password@smtp.example?from=…&to={to}`;
            `{to}` becomes the address of a person.
        people: by principal. A text is an address, for `{to}`, or a URL of its own; a list names the members of a
            group, who are told one by one. A group with an address (a channel of a chat) gets no link to answer by,
            since a link is for one person.
        events: which of a request's life they are told of.
        workflows: the only ones they are told of; None: all.

    Raises:
        InvalidName, ValueError: one of them cannot be so; addresses and URLs are not repeated.

    Example:
        >>> PeopleTarget("mail", "mailto://smtp.example?from=a@b.example&to={to}", {"user:alice": "alice@b.example"})
        PeopleTarget(id='mail', events=('asked', 'reminded', 'escalated', 'revised'), workflows=None)
    """

    id: str
    url: str = field(repr=False)
    people: Mapping[str, str | Sequence[str]] = field(repr=False)
    events: tuple[str, ...] = ASKING
    workflows: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        check_name(self.id, "target id")
        if unknown := set(self.events) - set(KINDS):
            raise ValueError(f"{self.id}: there is no event {unknown.pop()!r}; there are {', '.join(KINDS)}.")
        if len(self.people) > MOST_PEOPLE:
            raise ValueError(f"{self.id}: a target reaches {MOST_PEOPLE} people at most.")
        for principal, where in self.people.items():
            if not is_principal(principal):
                raise ValueError(f"{self.id}: {principal!r:.140} is no principal, such as user:alice.")
            if isinstance(where, str):
                if "://" not in where and _TO not in self.url:
                    raise ValueError(f"{self.id}: the url has no {_TO} for the address of {principal}.")
            elif len(where) > MOST_MEMBERS or not all(
                one.startswith("user:") and isinstance(self.people.get(one), str) for one in where
            ):
                raise ValueError(
                    f"{self.id}: the members of {principal} are at most {MOST_MEMBERS} users with an address here."
                )

    def wants(self, event: RequestEvent) -> bool:
        """Tell whether people are told of an event."""
        return event.event in self.events and (self.workflows is None or event.workflow in self.workflows)

    def recipients(self, to: Sequence[str]) -> list[tuple[str, ...]]:
        """Return those who are reached of the principals that are asked, each with all in whose name they are."""
        found: dict[str, list[str]] = {}
        for principal in to:
            where = self.people.get(principal)
            for one in () if where is None else (principal,) if isinstance(where, str) else where:
                found.setdefault(one, [one]).extend(() if principal == one else (principal,))
        return [tuple(dict.fromkeys(names)) for names in found.values()]

    def url_for(self, principal: str) -> str | None:
        """Return the URL by which apprise reaches somebody; None: nobody knows how any more."""
        where = self.people.get(principal)
        if not isinstance(where, str):
            return None
        return where if "://" in where else self.url.replace(_TO, quote(where, safe=""))


def read_people(path: Path, environment: Mapping[str, str]) -> tuple[PeopleTarget, ...]:
    """Read a file in TOML, in which each table is a target.

    Args:
        environment: what `${NAME}` in URLs stands for, so that passwords need not stand in the file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not understood; it is said where, without URLs and addresses.

    Example:
        >>> read_people(Path("notify.toml"), os.environ)
        (PeopleTarget(id='mail', events=('asked', 'reminded', 'escalated', 'revised'), workflows=None),)
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path} is no TOML: {str(error)[:200]}.") from None
    return tuple(_target(name, table, environment) for name, table in tables.items())


def _target(name: str, table: Any, environment: Mapping[str, str]) -> PeopleTarget:
    given = table if isinstance(table, dict) else {}
    if {type(given.get("url")), type(given.get("people"))} != {str, dict}:
        raise ValueError(f"[{name}] needs `url`, a text, and `people`, a table of principals.")
    if unknown := table.keys() - _MEMBERS:
        raise ValueError(f"[{name}] has no {unknown.pop()!r}; it takes {', '.join(sorted(_MEMBERS))}.")
    people = {one: _where(name, one, where, environment) for one, where in table["people"].items()}
    events = _texts(name, "events", table.get("events", list(ASKING)))
    workflows = None if table.get("workflows") is None else _texts(name, "workflows", table["workflows"])
    try:
        return PeopleTarget(name, _filled(name, table["url"], environment), people, events, workflows)
    except InvalidName as error:
        raise ValueError(error.detail) from error


def _where(name: str, principal: str, where: Any, environment: Mapping[str, str]) -> str | Sequence[str]:
    if isinstance(where, str):
        return _filled(name, where, environment)
    return _texts(name, principal, where)


def _texts(name: str, member: str, given: Any) -> tuple[str, ...]:
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise ValueError(f"[{name}] {member} is a list of texts.")
    return tuple(given)


def _filled(name: str, text: str, environment: Mapping[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        try:
            return quote(environment[found[1]], safe="")
        except KeyError:
            raise ValueError(f"[{name}] names the variable {found[1]}, which is not set.") from None

    return _VARIABLE.sub(value, text)

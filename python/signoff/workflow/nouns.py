"""The nouns a journal speaks of. Each is a folder beside this file; a new one is a folder, and its name in `NOUNS`.

    entries.py  its commands and notifications
    fold.py     `FOLDS`: how each entry looks from outside
    ask.py      what `ctx` offers, and `FEEDS`: what each notification means to the code
    decide.py   what outsiders may do to it
    act.py      what people and operators may do to a request for input (`REQUEST_VERBS`); where there is something

The tables are made when `journal.py`, `projection.py` and `machine.py` are imported, and are whole or the import fails.
Modules are found by name, so that the projection and the codec never load the loop, which `ask.py` needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from importlib.util import find_spec
from inspect import get_annotations
from itertools import chain
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from signoff.workflow.entry import Command, Entry, Notification
from signoff.workflow.verb import Verb

if TYPE_CHECKING:
    from signoff.workflow.input.verb import RequestVerb

NOUNS: Final = (
    *("run", "step", "timer", "event", "row", "patch"),
    *("input", "validation", "claim", "vote", "handover", "wizard", "comment", "denial", "approval"),
)

TAKEN: Final = frozenset({"name", "txid"})
"""Properties of `Command` and `Notification`: a member of the same name would silently be taken for them."""

_OPTIONAL: Final = frozenset({"entries", "fold", "decide", "act"})
"""A noun may be made of another's entries alone, as `approval` is of those of `input`."""

Table = dict[type[Entry], Callable[..., Any]]


def entries() -> dict[str, type[Entry]]:
    """Return the class of each entry by the type the journal names."""
    return collected(_parts("entries"))


def folds() -> Table:
    """Return the fold of each entry."""
    return joined("fold", [part.FOLDS for part in _parts("fold")], entries().values())


def feeds() -> Table:
    """Return how each notification is fed to the code, and the beginning of the run, which is fed as one."""
    fed = [entry for entry in entries().values() if issubclass(entry, Notification) or entry.type == "run.started"]
    return joined("feed", [part.FEEDS for part in _parts("ask")], fed)


def verbs() -> dict[str, Verb]:
    """Return what outsiders may do to a run, by name.

    Raises:
        TypeError: two have one name.
    """
    found: dict[str, Verb] = {}
    for verb in chain.from_iterable(getattr(part, "VERBS", ()) for part in _parts("decide")):
        if found.setdefault(verb.name, verb) is not verb:
            raise TypeError(f"There are two verbs called {verb.name}.")
    return found


def request_verbs() -> dict[str, RequestVerb]:
    """Return what may be done to a request for input, by name.

    Raises:
        TypeError: two have one name.
    """
    found: dict[str, RequestVerb] = {}
    for verb in chain.from_iterable(part.REQUEST_VERBS for part in _parts("act")):
        if found.setdefault(verb.name, verb) is not verb:
            raise TypeError(f"There are two verbs on requests called {verb.name}.")
    return found


def collected(modules: Iterable[ModuleType]) -> dict[str, type[Entry]]:
    """Return the entries that modules define, by their types.

    Raises:
        TypeError: two have one type, one is neither a command nor a notification, or a member of one hides what replay
            and projection ask of all.
    """
    found: dict[str, type[Entry]] = {}
    for module in modules:
        for value in vars(module).values():
            if not (isinstance(value, type) and issubclass(value, Entry) and value.__module__ == module.__name__):
                continue
            if not issubclass(value, Command | Notification):
                raise TypeError(f"{value.__name__} is neither a Command nor a Notification.")
            if taken := TAKEN.intersection(get_annotations(value)):
                raise TypeError(f"{value.__name__} has a member called {min(taken)}, which hides an entry's own.")
            if found.setdefault(value.type, value) is not value:
                raise TypeError(f"{value.type} is the type of both {found[value.type].__name__} and {value.__name__}.")
    return found


def joined(what: str, tables: Iterable[Mapping[type[Entry], Any]], kinds: Iterable[type[Entry]]) -> Table:
    """Return several tables as one.

    Args:
        what: of which there is to be one for each entry: `fold` or `feed`.
        tables: the nouns' tables.
        kinds: the entries there are.

    Raises:
        TypeError: an entry has none, or two, or is none of `kinds`.
    """
    whole: Table = {}
    for table in tables:
        for kind, function in table.items():
            if kind in whole:
                raise TypeError(f"{kind.__name__} has a {what} twice.")
            whole[kind] = function
    kinds = set(kinds)
    for kind in sorted(kinds ^ whole.keys(), key=lambda kind: kind.type):
        raise TypeError(f"{kind.__name__} has {'no' if kind in kinds else 'needlessly a'} {what}.")
    return whole


def _parts(name: str) -> list[ModuleType]:
    modules = [f"signoff.workflow.{noun}.{name}" for noun in NOUNS]
    return [import_module(module) for module in modules if name not in _OPTIONAL or find_spec(module) is not None]

"""What users and third parties test with.

`TestEngine` runs workflows in memory, by a clock that jumps, with scripted people and with faults; `replay` has today's
code go through a recorded run; `store_contract` proves a store of one's own against the engine's laws. Nothing here is
loaded before it is asked for, as pytest loads `pytest_plugin` for everybody. Never here: anything the product itself
imports.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from signoff.testing.acts import answer, do, never, stale, twice
    from signoff.testing.board import SeenRequest
    from signoff.testing.engine import TestEngine, crash_everywhere
    from signoff.testing.faults import Chaos
    from signoff.testing.history import replay, replay_folder, save_history
    from signoff.testing.people import Person, PersonScript
    from signoff.testing.runs import TestRun
    from signoff.testing.timeline import Stuck

__all__ = [
    "Chaos",
    "Person",
    "PersonScript",
    "SeenRequest",
    "Stuck",
    "TestEngine",
    "TestRun",
    "answer",
    "crash_everywhere",
    "do",
    "never",
    "replay",
    "replay_folder",
    "save_history",
    "stale",
    "twice",
]

_HOMES = {
    "Chaos": "signoff.testing.faults",
    "Person": "signoff.testing.people",
    "PersonScript": "signoff.testing.people",
    "SeenRequest": "signoff.testing.board",
    "Stuck": "signoff.testing.timeline",
    "TestEngine": "signoff.testing.engine",
    "TestRun": "signoff.testing.runs",
    "answer": "signoff.testing.acts",
    "crash_everywhere": "signoff.testing.engine",
    "do": "signoff.testing.acts",
    "never": "signoff.testing.acts",
    "replay": "signoff.testing.history",
    "replay_folder": "signoff.testing.history",
    "save_history": "signoff.testing.history",
    "stale": "signoff.testing.acts",
    "twice": "signoff.testing.acts",
}
"""Where each public name stands."""


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(home), name)
    return found

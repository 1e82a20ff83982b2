"""The shape of the code: who may import whom, how large things may grow, what names mean, and what is said of them.

These are tests rather than a program of their own, since each is a fact about the code like any other; `make check`
runs this file alone, in a few seconds. Where a rule has an exception it is named here, with why.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "python" / "signoff"
TESTS = ROOT / "tests"

USUAL_LINES: Final = 400
MOST_LINES: Final = 600
MOST_LINES_OF_A_FUNCTION: Final = 60
MOST_METHODS: Final = 20

LONG_MODULES: Final = {
    "client/client.py": "one class: all there is to ask a server",
    "errors.py": "the tree of errors is to be seen whole, and journals name its classes by this module",
    "runtime/driver.py": "the states of a driver and all that leads from one to another",
    "runtime/local.py": "one class: the port of a worker, all of which meets the services",
    "server/streams/endpoints.py": "one class: all that may be asked of a stream, over one set of services",
    "workflow/aio.py": "asyncio's functions, as workflow code finds them",
    "workflow/loop.py": "one class: an event loop as asyncio asks for it",
}
"""What is longer than usual, and why it is not parted."""

LARGE_CLASSES: Final = {
    "SignoffClient": "each method is something to ask a server",
    "WorkflowLoop": "asyncio's event loop has these methods",
    "Connection": "asyncio's protocol, the parser's callbacks and what exchanges ask for",
    "MemoryStore": "the store port has these methods, in five facets",
    "SqliteStore": "the store port has these methods, in five facets",
    "PostgresStore": "the store port has these methods, in five facets",
    "RedisStore": "the store port has these methods, in five facets",
}
"""Classes with more public methods than usual, because an interface has them."""

LAZY: Final = {
    "cli": "a command loads what it needs",
    "server/access/jwks.py": "as tokens.py beside it",
    "tokens.py": "cryptography, for whoever mints",
    "links.py": "cryptography comes with the first link",
    "signing.py": "as above",
    "server/forms/markdown.py": "Markdown is read for the first link that is opened",
    "service/ed25519.py": "cryptography comes with the first bundle",
    "server/notify/people_messenger.py": "apprise is an extra, and takes a while",
    "server/access/tokens.py": "cryptography comes with the first token",
    "server/subscriptions/webhook.py": "cryptography comes with the first webhook",
    "stores/open.py": "a backend is loaded when a URL names it",
    "workflow/approval/arguments.py": "what checks arguments is loaded by the first tool with a schema",
    "workflow/codec/kinds.py": "pydantic's URLs are loaded by who has one",
    "workflow/input/answer_faults.py": "what checks answers is loaded by the first answer",
    "workflow/input/schema.py": "as above, by the first schema",
}
"""Where something may be imported within a function, and why it cannot stand at the top."""

ORDER: Final = re.compile(
    r"(Act|Answer|Ask|Announce|Append|Apply|Be|Begin|Bring|Build|Carry|Check|Choose|Close|Collect|Commit|Compare|Create|"
    r"Decide|Delete|Do|Drive|Find|Follow|Get|Give|Hand|Have|Hold|Keep|Know|Leave|Let|Look|Make|Move|Name|Offer|Open|Own|"
    r"Pass|Prove|Put|Read|Refuse|Release|Remove|Renew|Report|Return|Run|Say|See|Send|Serve|Set|Show|Stand|Start|Stop|"
    r"Take|Talk|Tell|Turn|Wait|Watch|Write)\b"
)
"""A verb that tells somebody to do something: so begins what is said of a function, not of a class."""

ENTRIES: Final = re.compile(r"workflow/\w+/entries\.py")
"""An entry is called after what happened, and so is the error that the code gets for it."""


OF_THE_WHOLE: Final = {"conformance", "docs", "histories", "packaging", "protocol", "servers", "test_architecture.py"}
"""Tests of what is no one part of the package: the protocol, the documents, clients, servers, what is published, the
shape of the code."""

SCENARIOS: Final = {
    "agui/test_http_agent.py": "the client of AG-UI starts runs and answers them, in Node",
    "aisdk/test_chat.py": "the chat of the AI SDK reads runs, in Node",
    "adapters/test_killed.py": "agents whose process dies while people decide about their tools",
    "adapters/test_missing.py": "adapters whose framework is not installed",
    "cli/test_commands.py": "command after command on one server or one store, as somebody works with them",
    "runtime/test_approvals.py": "tools that wait for people, policies and remembered approvals",
    "runtime/test_tools.py": "tools beside secrets, validators, quorums, deadlines and policies that fail",
    "runtime/test_boundaries.py": "something happens between any two commits of a run",
    "runtime/test_chaos.py": "workers with many good runs and all kinds of bad ones",
    "runtime/test_clocks.py": "waits of worker, service and store by a clock that jumps",
    "runtime/test_crash.py": "workers that die or freeze at any instruction",
    "runtime/test_deadlines.py": "reminders, escalations, deadlines and defaults against workers and people",
    "runtime/test_ends.py": "`terminate` and `cancel` against workers and people",
    "runtime/test_migrated.py": "runs of an older file go on",
    "runtime/test_never_stuck.py": "whatever steps, code, stores and workers do, somebody goes on",
    "runtime/test_outage.py": "a store that is away for a while, and what is said and tried meanwhile",
    "runtime/test_pause.py": "`pause` and `resume` against workers and people",
    "runtime/test_people.py": "people, deadlines and withdrawals at one request",
    "runtime/test_policy.py": "who may decide, how many have to, and who works on it",
    "runtime/test_retry.py": "`retry` after every way in which an error comes to the top",
    "runtime/test_undoing.py": "`retry`, `rewind` and `fork` against workers and people",
    "runtime/test_values.py": "a value's way from a step to code, journal and people",
    "runtime/test_wizard.py": "people who go back and forth between pages",
    "server/api/test_input_policy.py": "claims, votes, handing on and one's own runs over HTTP",
    "server/api/test_input_races.py": "people at one request at the same instant",
    "security/test_openapi.py": "whatever may be sent, and what may not, against the OpenAPI document",
    "security/test_secrets.py": "secrets, and all that a server says and logs",
    "security/test_table.py": "every endpoint and stream, against everybody who might call",
    "server/access/test_rotation.py": "secrets that are exchanged while people call",
    "server/notify/test_senders.py": "processes that tell one webhook, and one of which dies",
    "server/access/test_revocation.py": "revoked tokens in the API, the fast lane and live reads",
    "server/fast/test_lane.py": "the fast lane and the application, answer by answer",
    "server/fast/test_lane_faults.py": "the fast lane among conflicts, failures and clients that leave",
    "server/streams/test_compaction.py": "compaction as HTTP shows it",
    "server/streams/test_crash.py": "a server that is killed while it is appended to",
    "server/streams/test_forks.py": "forks as HTTP shows them",
    "server/subscriptions/test_fuzz.py": "anything sent to the control API",
    "service/streams/test_forking.py": "forks among writers, readers, expiry and deletion",
    "service/subscriptions/test_processes.py": "several servers over one store, and some that die",
    "service/test_deletion.py": "`delete`, and what is left in store, streams and workers",
    "stores/redis/test_backup.py": "what was copied of a server, on a fresh one",
    "stores/sqlite/test_processes.py": "several processes with one file, and some that die",
    "stores/postgres/test_backup.py": "a dump of a schema, restored on another server",
    "stores/postgres/test_pgbouncer.py": "the store behind PgBouncer, in transaction mode",
    "stores/postgres/test_plans.py": "the plans of all statements, among many rows",
    "stores/postgres/test_posts.py": "several who place at once, and some that die",
    "stores/test_contract.py": "the laws of the port, over each store",
    "stores/test_later_posts.py": "the laws of the port, over a store that places posts later",
    "workflow/test_closing.py": "how generators and whole machines end",
    "workflow/test_golden.py": "journals of earlier releases",
    "workflow/test_replay_laws.py": "replay of every shape of workflow, cut anywhere",
    "workflow/test_typing.py": "what type checkers make of the public API",
}
"""Tests of several parts together, and what they play; all others have the name of the module or folder they test."""

TESTED_ELSEWHERE: Final = {
    "testing/store_contract": "stores/test_contract.py",
}
"""Folders of the package whose tests are not in a folder of the same name, and where they are."""


class Module(NamedTuple):
    """A module of the package."""

    place: str
    name: str
    text: str
    tree: ast.Module


def read(root: Path) -> Iterator[Module]:
    for file in sorted(root.rglob("*.py")):
        place = file.relative_to(root).as_posix()
        dotted = ["signoff", *place.removesuffix(".py").split("/")]
        name = ".".join(dotted[:-1] if dotted[-1] == "__init__" else dotted)
        text = file.read_text()
        yield Module(place, name, text, ast.parse(text))


MODULES: Final = tuple(read(PACKAGE))


def classes(module: Module) -> Iterator[ast.ClassDef]:
    return (node for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef))


def functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(module.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_layers() -> None:
    linter = Path(sys.executable).parent / "lint-imports"
    found = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout
    assert " 0 broken." in found.stdout


def test_only_the_loop_and_what_runs_on_it_import_asyncio_in_the_replay_core() -> None:
    allowed = {"workflow/aio.py", "workflow/futures.py", "workflow/loop.py"}
    importing = {
        module.place
        for module in MODULES
        if re.fullmatch(r"workflow/[^/]+", module.place)
        for node in ast.walk(module.tree)
        if (isinstance(node, ast.Import) and any(name.name.split(".")[0] == "asyncio" for name in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "asyncio")
    }
    assert importing <= allowed


# -- imports ----------------------------------------------------------------------------------------------------------


def imports(module: Module) -> Iterator[str]:
    """Yield the modules of the package that this one imports, wherever in it; but for types alone."""
    known = {each.name for each in MODULES}

    def look(node: ast.AST) -> Iterator[str]:
        match node:
            case ast.If(test=ast.Name("TYPE_CHECKING")):
                return
            case ast.ImportFrom(module=str(base), names=names):
                yield from {f"{base}.{name.name}" if f"{base}.{name.name}" in known else base for name in names}
            case ast.Import(names=names):
                yield from (name.name for name in names)
        for child in ast.iter_child_nodes(node):
            yield from look(child)

    return (name for name in look(module.tree) if name in known and name != module.name)


def test_no_imports_go_round_in_a_circle() -> None:
    graph = {module.name: set(imports(module)) for module in MODULES}
    assert circles(graph) == []


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    # Takes away what imports nothing that is left, until nothing changes; what is left goes round, or stands between.
    left = {name: set(targets) for name, targets in graph.items()}
    while free := [name for name, targets in left.items() if not targets & left.keys()]:
        for name in free:
            del left[name]
    while unused := [name for name in left if not any(name in targets for targets in left.values())]:
        for name in unused:
            del left[name]
    return [[name, *sorted(targets & left.keys())] for name, targets in left.items()]


def test_what_a_circle_is() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set()}) == [["b", "c"], ["c", "b"]]
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_imports_stand_at_the_top_of_a_module() -> None:
    lazy = {
        module.place
        for module in MODULES
        for function in functions(module)
        if any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(function))
    }
    named = {place for place in LAZY if any(each == place or each.startswith(f"{place}/") for each in lazy)}
    assert named == LAZY.keys()
    assert [place for place in lazy if place not in LAZY and place.partition("/")[0] not in LAZY] == []


# -- sizes ------------------------------------------------------------------------------------------------------------


def test_modules_stay_small() -> None:
    lines = {module.place: len(module.text.splitlines()) for module in MODULES}
    assert [place for place, count in lines.items() if count > MOST_LINES] == []
    long = {place for place, count in lines.items() if count > USUAL_LINES}
    assert long == LONG_MODULES.keys()


def test_functions_stay_small() -> None:
    too_long = []
    for module in MODULES:
        for node in functions(module):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            length = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
            if length > MOST_LINES_OF_A_FUNCTION:
                too_long.append(f"{module.place}:{node.name} has {length} lines")
    assert too_long == []


def test_classes_stay_small() -> None:
    large = set()
    for module in MODULES:
        for node in classes(module):
            own = (each for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))
            public = {each.name for each in own if not each.name.startswith("_")}
            if len(public) > MOST_METHODS:
                large.add(node.name)
    assert large == LARGE_CLASSES.keys()


# -- names ------------------------------------------------------------------------------------------------------------


def named(module: Module) -> Iterator[str]:
    """Yield what a module calls its classes and types, a leading underscore apart."""
    for one in classes(module):
        yield one.name.lstrip("_")
    for node in module.tree.body:
        target: ast.expr | None = None
        match node:
            case ast.Assign(targets=[ast.Name() as target]) | ast.AnnAssign(target=ast.Name() as target):
                pass
        if isinstance(target, ast.Name) and re.fullmatch(r"_?[A-Z][a-z]\w*", target.id):
            yield target.id.lstrip("_")


BACKEND: Final = re.compile(r"stores/(?!open)(\w+)/")
"""A backend's own: no other knows it, so two may call like parts alike, such as what writes."""


HOMONYMS: Final = {"Rejected": "a Change that a store cannot keep, and a tool that may not run: no code meets both"}
"""Names that mean two things all the same, and why that misleads nobody."""


def one_each(where: Sequence[str]) -> bool:
    """Tell whether a name is a part of several backends, and of each once."""
    backends = [found.group(1) for place in where if (found := BACKEND.match(place))]
    return len(backends) == len(where) == len(set(backends))


def test_one_name_means_one_thing() -> None:
    places: defaultdict[str, list[str]] = defaultdict(list)
    for module in MODULES:
        for name in named(module):
            places[name].append(module.place)
    twice = {
        name: where
        for name, where in places.items()
        if len(where) > 1
        and not (len(where) == 2 and "errors.py" in where and any(map(ENTRIES.fullmatch, where)))
        and not one_each(where)
        and name not in HOMONYMS
    }
    assert twice == {}


# -- what is said -----------------------------------------------------------------------------------------------------


def test_public_names_have_docstrings() -> None:
    missing = []
    for module in MODULES:
        if not ast.get_docstring(module.tree):
            missing.append(module.place)
        for node in module.tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                overload = any(isinstance(one, ast.Name) and one.id == "overload" for one in node.decorator_list)
                if not node.name.startswith("_") and not ast.get_docstring(node) and not overload:
                    missing.append(f"{module.place}:{node.name}")
    assert missing == []


def test_a_package_says_what_lives_there_and_what_does_not() -> None:
    silent = [
        module.place
        for module in MODULES
        if module.place.endswith("/__init__.py")
        and not re.search(r"(Never|Nothing) here\b", " ".join((ast.get_docstring(module.tree) or "").split()))
    ]
    assert silent == []


def first_line(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    return (ast.get_docstring(node) or "").partition("\n")[0]


def test_a_class_is_said_to_be_a_thing() -> None:
    orders = [
        f"{module.place}:{node.name}: {first}"
        for module in MODULES
        for node in classes(module)
        if ORDER.match(first := first_line(node))
    ]
    assert orders == []


def test_a_function_is_told_what_to_do() -> None:
    things = [
        f"{module.place}:{node.name}: {first}"
        for module in MODULES
        for node in functions(module)
        if re.match(r"(An?|The|What|Which|How|Whether|Where|When)\b", first := first_line(node))
        and not node.name.startswith("test_")
    ]
    assert things == []


# -- tests ------------------------------------------------------------------------------------------------------------


def subject(file: Path) -> Path:
    """Return where the package has what a test file is called after, without the ending of a module."""
    return PACKAGE / file.relative_to(TESTS).parent / file.stem.removeprefix("test_")


def mirroring() -> Iterator[Path]:
    """Yield the test files that stand where the package has what they test."""
    for file in sorted(TESTS.rglob("test_*.py")):
        if file.relative_to(TESTS).parts[0] not in OF_THE_WHOLE:
            yield file


def test_a_test_is_called_after_what_it_tests_or_plays_a_scenario() -> None:
    others = {
        file.relative_to(TESTS).as_posix()
        for file in mirroring()
        if not subject(file).with_suffix(".py").exists() and not subject(file).is_dir()
    }
    assert others - SCENARIOS.keys() == set(), "name it after a module or a folder beside it in the package, or list it"
    assert SCENARIOS.keys() - others == set(), "it is gone, or called after what it tests"


def test_every_folder_of_the_package_has_tests_in_the_same_place() -> None:
    folders = {module.place.rpartition("/")[0] for module in MODULES}
    with_tests = {file.parent.relative_to(TESTS).as_posix() for file in mirroring()}
    assert {folder for folder in folders - with_tests if folder} == TESTED_ELSEWHERE.keys()
    assert [place for place in TESTED_ELSEWHERE.values() if not (TESTS / place).exists()] == []

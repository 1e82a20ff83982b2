"""Read the source of a workflow for what cannot be the same in every replay.

Much is refused when it is done (see `guard.py`). What Python lets nobody refuse, because it is written in C or has no
name that could be exchanged, is found here: in the workflow's function, in functions inside it, and in functions of the
same module that it refers to. What is handed to `ctx.step`, judges answers or carries reminders is passed over: it runs
in the world.
Nothing is run; names are followed through the module's imports.
"""

from __future__ import annotations

import ast
import inspect
import linecache
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

Function = ast.FunctionDef | ast.AsyncFunctionDef

PASSED = "signoff: deterministic"
"""A comment with these words on the line says that somebody has looked."""

_NOW = "reads the clock; use ctx.now()"
_CHANCE = "is different at every replay; use ctx.random() or ctx.uuid()"
_STEP = "may be different at every replay; do it in a step: await ctx.step(...)"
_THREAD = "runs code outside of the workflow; do it in a step: await ctx.step(...)"
_BLOCKS = "blocks the worker; use await ctx.sleep(...)"
_PYTHON = "is not the same in every Python that is supported"
_ADDRESS = "depends on where Python has put things in memory, or on its hash seed"


def _names(module: str, names: str, why: str) -> dict[str, str]:
    return {f"{module}.{name}": why for name in names.split()}


WORLD: dict[str, str] = {
    **_names("datetime.datetime", "now utcnow today", _NOW),
    **_names("datetime.date", "today", _NOW),
    **_names("time", "time time_ns monotonic monotonic_ns perf_counter perf_counter_ns process_time", _NOW),
    **_names("time", "localtime gmtime ctime strftime thread_time", _NOW),
    **_names("time", "sleep", _BLOCKS),
    **_names("random", "random seed getrandbits randbytes randint randrange choice choices shuffle sample", _CHANCE),
    **_names("random", "uniform triangular gauss normalvariate betavariate expovariate lognormvariate", _CHANCE),
    **_names("random", "gammavariate paretovariate vonmisesvariate weibullvariate binomialvariate", _CHANCE),
    **_names("random", "Random SystemRandom", _CHANCE),
    **_names("uuid", "uuid1 uuid4 uuid6 uuid7 uuid8 getnode", _CHANCE),
    **_names("secrets", "token_bytes token_hex token_urlsafe choice randbelow randbits SystemRandom", _CHANCE),
    **_names("os", "urandom getrandom", _CHANCE),
    **_names("os", "environ getenv getpid getppid getcwd cpu_count uname getlogin", _STEP),
    **_names("os", "stat lstat access listdir scandir walk remove rename mkdir makedirs system popen", _STEP),
    **_names("os.path", "exists lexists isfile isdir islink getsize getmtime realpath abspath", _STEP),
    **_names("pathlib.Path", "cwd home", _STEP),
    **_names("socket", "socket gethostname getaddrinfo create_connection gethostbyname getfqdn", _STEP),
    **_names("platform", "node uname platform python_version", _STEP),
    **_names("sys", "argv version version_info platform", _STEP),
    **_names("subprocess", "run Popen call check_call check_output", _STEP),
    **_names("builtins", "input open", _STEP),
    **_names("builtins", "id hash", _ADDRESS),
    **_names("threading", "Thread Timer", _THREAD),
    **_names("concurrent.futures", "ThreadPoolExecutor ProcessPoolExecutor", _THREAD),
    **_names("asyncio", "to_thread run_coroutine_threadsafe Runner run", _THREAD),
    **_names("anyio.to_thread", "run_sync", _THREAD),
    **_names("anyio", "run open_file run_process open_process", _STEP),
    **_names("asyncio", "QueueShutDown eager_task_factory create_eager_task_factory", _PYTHON),
}
"""What is found by its full name, and why it is told."""

_WITH_SEED = frozenset(("random.Random",))
_WITH_TIME = {"time.localtime": 1, "time.gmtime": 1, "time.ctime": 1, "time.strftime": 2}
_NUMBERED = frozenset(("step", "create_task", "ensure_future", "sleep", "await_event"))
_ORDERING = frozenset(("list", "tuple", "iter", "enumerate", "map", "filter", "zip", "reversed", "next"))
_OF_SETS = frozenset(("union", "intersection", "difference", "symmetric_difference", "copy"))
_ASKING = frozenset(("step", "sleep", "await_event"))
_IN_THE_WORLD = frozenset(("validate", "decide", "on_remind"))
"""Options of requests, under whichever name one is asked; what they are given runs outside of the workflow."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing in workflow code that will not go as it reads.

    Attributes:
        unawaited: it is asked for and never awaited; otherwise it cannot be the same in every replay.
    """

    filename: str
    line: int
    what: str
    unawaited: bool = False

    def __str__(self) -> str:
        return f"{self.filename}:{self.line}: {self.what}"


def findings(fn: Callable[..., Any]) -> list[Finding]:
    """Return what is found in a workflow function; nothing if its source cannot be read.

    Example:
        >>> [str(one) for one in findings(expense)]
        ['app.py:12: datetime.datetime.now reads the clock; use ctx.now()']
    """
    called = inspect.unwrap(fn)
    code = getattr(called, "__code__", None)
    if code is None:
        return []
    lines = linecache.getlines(code.co_filename, getattr(called, "__globals__", None))
    module = _module("".join(lines))
    start = None if module is None else module.functions.get((code.co_name, code.co_firstlineno))
    if module is None or start is None:
        return []
    found = _FunctionReader(module, start).read()
    return [
        Finding(code.co_filename, line, what, unawaited)
        for line, what, unawaited in sorted(found)
        if PASSED not in lines[line - 1]
    ]


class _Module:
    """A parsed module: what its names stand for, and its functions."""

    def __init__(self, tree: ast.Module) -> None:
        self.functions: dict[tuple[str, int], Function] = {}
        self.parents: dict[Function, ast.AST] = {}
        self.named: dict[str, Function] = {}
        self.imports: dict[str, str] = {}
        for node in ast.walk(tree):
            if isinstance(node, Function):
                first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
                self.functions[node.name, first] = node
        for node in _level(tree):
            if isinstance(node, Function):
                self.named[node.name] = node
            else:
                self.imports.update(_imported(node))


@lru_cache(maxsize=4)
def _module(source: str) -> _Module | None:
    try:
        return _Module(ast.parse(source)) if source else None
    except (SyntaxError, ValueError):  # the file has changed under the program
        return None


def _level(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the statements of a module or function, not of functions and classes in it."""
    for node in ast.iter_child_nodes(tree):
        yield node
        if not isinstance(node, Function | ast.ClassDef | ast.Lambda):
            yield from _level(node)


def _imported(node: ast.AST) -> dict[str, str]:
    found = {}
    if isinstance(node, ast.Import):
        for one in node.names:
            found[one.asname or one.name.partition(".")[0]] = one.name if one.asname else one.name.partition(".")[0]
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        for one in node.names:
            found[one.asname or one.name] = f"{node.module}.{one.name}"
    return found


class _FunctionScope:
    """What the names of one function stand for."""

    def __init__(self, function: Function | ast.Lambda, outer: _FunctionScope | None, module: _Module) -> None:
        self.outer, self.module = outer, module
        self.imports: dict[str, str] = {}
        self.named: dict[str, Function] = {}
        arguments = function.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        self.bound = {one.arg for one in every if one is not None}
        self.sets: set[str] = set()
        others: set[str] = set()
        for node in _level(function):
            if isinstance(node, Function):
                self.named[node.name] = node
            elif isinstance(node, ast.Import | ast.ImportFrom):
                self.imports.update(_imported(node))
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                self.bound.add(node.id)
            if isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                kind = self.sets if node.value is not None and self.is_set(node.value) else others
                kind.update(one.id for one in targets if isinstance(one, ast.Name))
        self.sets -= others

    def find(self, name: str) -> str | Function | None:
        """Return the full name of what is imported, the function of the module, or None: something else."""
        if name in self.imports:
            return self.imports[name]
        if name in self.named:
            return self.named[name]
        if name in self.bound:
            return None
        if self.outer is not None:
            return self.outer.find(name)
        return self.module.imports.get(name) or self.module.named.get(name) or f"builtins.{name}"

    def full_name(self, node: ast.AST) -> str | None:
        """Return e.g. `datetime.datetime.now` for what is written as `dt.now`."""
        if isinstance(node, ast.Name):
            found = self.find(node.id)
            return found if isinstance(found, str) else None
        if isinstance(node, ast.Attribute):
            owner = self.full_name(node.value)
            return None if owner is None else f"{owner}.{node.attr}"
        return None

    def is_set(self, node: ast.AST) -> bool:
        """Tell whether an expression is a set whose order differs from process to process."""
        found = False
        match node:
            case ast.Set(elts=parts):
                found = not all(map(_in_order, parts))
            case ast.SetComp(elt=part):
                found = not _in_order(part)
            case ast.Name(id=name):
                found = name in self.sets or (self.outer is not None and self.outer.is_set(node))
            case ast.BinOp(left=left, op=ast.BitOr() | ast.BitAnd() | ast.Sub() | ast.BitXor(), right=right):
                found = self.is_set(left) or self.is_set(right)
            case ast.Call(func=ast.Attribute(attr=name, value=owner)):
                found = name in _OF_SETS and self.is_set(owner)
            case ast.Call(func=called):
                found = self.full_name(called) in {"builtins.set", "builtins.frozenset"}
        return found


def _run_here(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what a node is made of, but for options of requests that are kept in a dict, to be handed over with **."""
    if not isinstance(node, ast.Dict):
        yield from ast.iter_child_nodes(node)
        return
    for key, value in zip(node.keys, node.values, strict=True):
        if key is not None:
            yield key
        if not (isinstance(key, ast.Constant) and key.value in _IN_THE_WORLD):
            yield value


def _in_order(node: ast.AST) -> bool:
    """Tell whether sets of this keep one order: numbers, and what the loop numbers."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, int | float)
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _NUMBERED


class _FunctionReader:
    """The reading of a workflow function and what it refers to."""

    def __init__(self, module: _Module, start: Function) -> None:
        self._module = module
        self._start = start
        self._seen: set[Function] = set()
        self._found: set[tuple[int, str, bool]] = set()
        first = [*start.args.posonlyargs, *start.args.args][:1]
        self._contexts = {"ctx", *(one.arg for one in first)}

    def read(self) -> set[tuple[int, str, bool]]:
        self._function(self._start, None)
        return self._found

    def _tell(self, node: ast.AST, what: str, *, unawaited: bool = False) -> None:
        self._found.add((getattr(node, "lineno", 1), what, unawaited))

    def _function(self, function: Function, outer: _FunctionScope | None) -> None:
        if function in self._seen:
            return
        self._seen.add(function)
        scope = _FunctionScope(function, outer, self._module)
        for node in function.body:
            self._node(node, scope)

    def _node(self, node: ast.AST, scope: _FunctionScope) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() | ast.Import() | ast.ImportFrom():
                return  # read when it is referred to
            case ast.Lambda():
                self._node(node.body, _FunctionScope(node, scope, self._module))
                return
            case ast.Expr(value=ast.Call() as call):
                self._unawaited(call)
            case ast.AnnAssign(value=value):
                for part in (node.target, value):
                    if part is not None:
                        self._node(part, scope)
                return
            case ast.Name(ctx=ast.Load()) | ast.Attribute(ctx=ast.Load()):
                if self._reference(node, scope):
                    return
        self._order(node, scope)
        if isinstance(node, ast.Call):
            self._call(node, scope)
            return
        for child in _run_here(node):
            self._node(child, scope)

    def _call(self, node: ast.Call, scope: _FunctionScope) -> None:
        name = scope.full_name(node.func)
        of_step = isinstance(node.func, ast.Attribute) and node.func.attr == "step"
        if isinstance(node.func, ast.Attribute) and node.func.attr == "shutdown" and name is None:
            self._tell(node, f"shutdown of a queue {_PYTHON}; put an end mark into it")
        given = len(node.args) + len(node.keywords)
        harmless = (name in _WITH_SEED and given) or (name in _WITH_TIME and given >= _WITH_TIME[name])
        function = scope.find(node.func.id) if isinstance(node.func, ast.Name) else None
        if isinstance(function, Function) and self._is_step(function, scope):
            self._tell(node, f"{function.name} is a step, and called without ctx.step; it would run at every replay")
        elif not harmless:
            self._node(node.func, scope)
        for index, argument in enumerate(node.args):
            if not (of_step and index == 1):  # runs in the step
                self._node(argument, scope)
        for keyword in node.keywords:
            if keyword.arg not in _IN_THE_WORLD:
                self._node(keyword.value, scope)

    def _is_step(self, function: Function, scope: _FunctionScope) -> bool:
        decorators = [one.func if isinstance(one, ast.Call) else one for one in function.decorator_list]
        return any(scope.full_name(one) in {"signoff.step", "signoff.workflow.step.options.step"} for one in decorators)

    def _reference(self, node: ast.AST, scope: _FunctionScope) -> bool:
        """Tell what a name stands for, if that is of the world; return whether the name is done with."""
        name = scope.full_name(node)
        if name in WORLD:
            self._tell(node, f"{name.removeprefix('builtins.')} {WORLD[name]}")
            return True
        if isinstance(node, ast.Name):
            function = scope.find(node.id)
            if isinstance(function, Function) and not self._is_step(function, scope):
                home: _FunctionScope | None = scope
                while home is not None and home.named.get(node.id) is not function:
                    home = home.outer
                self._function(function, None if self._module.named.get(node.id) is function else home)
        return False

    def _order(self, node: ast.AST, scope: _FunctionScope) -> None:
        """Tell of sets whose order is looked at."""
        walked: list[ast.expr] = []
        match node:
            case ast.For(iter=over) | ast.AsyncFor(iter=over) | ast.comprehension(iter=over):
                walked = [over]
            case ast.Starred(value=over) | ast.YieldFrom(value=over):
                walked = [over]
            case ast.Call(func=ast.Name(id=name), args=arguments) if name in _ORDERING:
                walked = list(arguments)
            case ast.Call(func=ast.Attribute(attr="join" | "fromkeys" | "as_completed" | "extend"), args=arguments):
                walked = list(arguments)
            case ast.Call(func=ast.Attribute(attr="pop", value=over), args=[]):
                walked = [over]
        for over in walked:
            if scope.is_set(over):
                self._tell(over, "the order of a set differs from process to process; use a list, or sorted(...)")

    def _unawaited(self, call: ast.Call) -> None:
        owner = call.func
        if not isinstance(owner, ast.Attribute) or owner.attr not in _ASKING:
            return
        base = owner.value
        if isinstance(base, ast.Call) and isinstance(base.func, ast.Attribute) and base.func.attr == "options":
            base = base.func.value
        if isinstance(base, ast.Name) and base.id in self._contexts:
            self._tell(call, f"{base.id}.{owner.attr}(...) is never awaited", unawaited=True)

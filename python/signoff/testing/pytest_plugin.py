"""Fixtures for pytest: an engine for the time of a test.

pytest loads this wherever Signoff is installed, so nothing that takes time is imported before a test asks for the
engine, not even asyncio (11 ms). It works with the plugins of anyio and of pytest-asyncio, and without either: then it
runs the asynchronous tests that take `signoff_engine` itself.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from signoff import App
    from signoff.testing.engine import TestEngine

_ENGINE = "signoff_engine"


@pytest.fixture
def signoff_app() -> App:
    """Return the application under test: override this fixture, in a test module or in `conftest.py`."""
    raise pytest.UsageError(
        "The fixture signoff_engine needs your application. Say which it is, in this module or in conftest.py:\n\n"
        "    @pytest.fixture\n    def signoff_app():\n        return app"
    )


@pytest.fixture
def signoff_engine(request: pytest.FixtureRequest, signoff_app: App) -> TestEngine:
    """Return a `TestEngine` over `signoff_app`, which runs for the time of an `async def` test.

    A test that is no coroutine lets it run with `signoff_engine.play(scenario)`.
    """
    engine: TestEngine = import_module("signoff.testing.engine").TestEngine(signoff_app)
    item = request.node
    if inspect.iscoroutinefunction(item.obj):
        item.obj = _within(engine, item.obj)
    return engine


def _within(engine: TestEngine, test: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
    """Return a test that has the engine run while it does.

    The engine lives on the test's own event loop, so it begins and ends with the test, not with the fixture.
    """

    @functools.wraps(test)
    async def with_engine(*args: Any, **kwargs: Any) -> None:
        async with engine:
            await test(*args, **kwargs)

    return with_engine


@pytest.hookimpl
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an asynchronous test that takes the engine, if no other plugin does."""
    test = pyfuncitem.obj
    if _ENGINE not in pyfuncitem.fixturenames or not inspect.iscoroutinefunction(test):
        return None
    names = inspect.signature(test).parameters
    import_module("asyncio").run(test(**{name: value for name, value in pyfuncitem.funcargs.items() if name in names}))
    return True

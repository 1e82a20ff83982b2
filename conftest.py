"""What holds for all tests: what runs the asynchronous ones, and that programs they start can be interrupted."""

import signal

import pytest

pytest_plugins = ["tests.servers.plugin"]

# A script that starts the tests in the background ignores SIGINT, and what they start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGTERM, signal.SIG_DFL)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run asynchronous tests on asyncio alone, each test and each example of Hypothesis on a fresh event loop."""
    return "asyncio"

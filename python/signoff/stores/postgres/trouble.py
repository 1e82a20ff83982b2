"""Say in words what a server or its driver says in codes, and tell what is known after it."""

from __future__ import annotations

import asyncio
from typing import Final

import asyncpg

from signoff.errors import BadRequest, StoreUnavailable
from signoff.stores.postgres.address import PostgresAddress
from signoff.stores.tls import why_refused

_AGAIN: Final = frozenset({"40001", "40P01", "55P03"})
"""Nothing is wrong: two got in each other's way, and the transaction was undone."""

_UNKEPT: Final = ("22", "23", "54")
"""Classes of errors that say that a value cannot be kept."""

_ADVICE: Final = {
    "28P01": "the password is wrong",
    "28000": "the server does not let this user in",
    "3D000": "there is no such database",
    "3F000": "there is no such schema; run `signoff db upgrade`",
    "42P01": "its tables are not there; run `signoff db upgrade`",
    "42883": "its functions are not there; run `signoff db upgrade`",
    "42501": "this user may not do that; run what `signoff db sql` prints as an administrator",
    "53100": "the disk of the server is full",
    "53200": "the server is out of memory",
    "53300": "the server has no connection left; lower `pool`, or raise its max_connections",
    "57014": "the statement took too long, and was given up",
    "57P01": "the server was shut down, or an administrator ended the connection",
    "57P03": "the server is starting",
    "25006": "the server is read-only; connect to the primary",
}

Lost = (
    OSError,
    asyncio.IncompleteReadError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    TimeoutError,
)
"""What is raised when a connection is gone. The driver says InternalClientError where a backend ended in a query."""


CAUGHT = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""What a server and its driver raise."""


def code_of(error: BaseException) -> str:
    """Return the SQLSTATE of an error; empty if the server has not said any."""
    return getattr(error, "sqlstate", None) or ""


def is_lost(error: BaseException) -> bool:
    """Tell whether the connection is gone, and with it the knowledge of what became of the last statement."""
    code = code_of(error)
    if isinstance(error, asyncpg.DataError | asyncpg.InterfaceError) and _is_unsent(error):
        return False
    return isinstance(error, Lost) or code.startswith(("08", "57P"))


def _is_unsent(error: BaseException) -> bool:
    """Tell whether the driver has refused a value before anything was sent."""
    return isinstance(error, asyncpg.DataError) and not code_of(error)


def is_read_only(error: BaseException) -> bool:
    """Tell whether a session may not write: that lasts as long as it does, so a new connection has to be made."""
    return code_of(error) == "25006"


def is_collision(error: BaseException) -> bool:
    """Tell whether doing the same again is all there is to do."""
    return code_of(error) in _AGAIN


def is_unkept(error: BaseException) -> bool:
    """Tell whether a value cannot be kept: its Change is at fault, and not the server."""
    if isinstance(error, BadRequest | asyncpg.DataError | UnicodeError | OverflowError | TypeError | ValueError):
        return True
    return isinstance(error, asyncpg.PostgresError) and code_of(error).startswith(_UNKEPT)


def unavailable(
    address: PostgresAddress, error: BaseException, consequence: str = "Nothing was written.", where: str = ""
) -> StoreUnavailable:
    """Make the error that says why the store cannot be used.

    Args:
        where: what of it cannot be used, as people may read it, if that is not at the address itself.
    """
    known = _ADVICE.get(code_of(error)) or why_refused(error, "sslrootcert")
    if known is None and isinstance(error, TimeoutError):
        known = "the server did not answer in time"
    if known is None and isinstance(error, ConnectionRefusedError):
        known = "nothing listens there; start the server, or correct the URL"
    said = known or " ".join(str(error).split()) or type(error).__name__
    return StoreUnavailable(
        f"{where or address.shown} cannot be used: {said.rstrip('.')}. {consequence}",
        public_detail=f"The server's store cannot be used right now. {consequence} "
        "Try again in a while, with the same ids.",
    )


def closed(address: PostgresAddress) -> StoreUnavailable:
    """Make the error for using a store that is not open."""
    return StoreUnavailable(f"The store {address.shown} is not open; nothing was written. Open it before use.")


def cannot_keep(error: Exception) -> BadRequest:
    """Make the error for a Change that holds what the server refuses to keep."""
    return BadRequest(f"The store cannot keep this: {' '.join(str(error).split()).rstrip('.')}. Nothing was written.")

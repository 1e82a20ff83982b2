"""Who sends a request: whoever its token says, or whoever the application around says (`identify`).

What an application's `identify` does is its own trouble: if it fails, the log gets its traceback and that one request
is answered 500.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import isawaitable
from math import inf

from signoff.errors import SignoffError
from signoff.server.access.identity import Identity, check_stream, needs_starter
from signoff.server.access.tokens import TokenVerifier
from signoff.server.http.problems import defect
from signoff.server.http.reply import Scope, header

Identify = Callable[[Scope], Identity | Awaitable[Identity]]
"""Says who sends a request, at once or when awaited; raises Unauthorized. Nobody is `Identity()`."""


class Authenticator:
    """The way to find out who sends a request.

    Args:
        tokens: knows bearer tokens.
        identify: is asked instead of looking at tokens.
    """

    def __init__(self, tokens: TokenVerifier, identify: Identify | None = None) -> None:
        self._tokens = tokens
        self._identify = identify

    @property
    def by_token(self) -> bool:
        """Tell whether the same header means the same caller, for as long as `Identity.until` says."""
        return self._identify is None

    def identify_now(self, scope: Scope) -> Identity:
        """Return who sends a request, if tokens say so.

        Raises:
            Unauthorized: the token is not valid.
        """
        return self._tokens.identify(header(scope, b"authorization"))

    async def identify(self, scope: Scope) -> Identity:
        """Return who sends a request.

        Raises:
            Unauthorized: the token is not valid, or the application does not know who calls.
            SignoffError: the application failed to say it.
        """
        if self._identify is None:
            return self.identify_now(scope)
        try:
            said = self._identify(scope)
            identity = await said if isawaitable(said) else said
            if not isinstance(identity, Identity):
                raise TypeError(f"identify gave {type(identity).__name__}, not an Identity; nobody is Identity().")  # noqa: TRY301
        except SignoffError:
            raise
        except Exception as error:
            raise defect(error, "This application failed to say who calls. Nothing was done.") from error
        return identity


def stream_authorizer(
    authenticator: Authenticator, starter_of: Callable[[str], Awaitable[str | None]]
) -> Callable[[Scope, str, str], float | Awaitable[float]]:
    """Return what stream endpoints ask whether a caller may read or write a stream, and until when.

    With tokens it says so at once, so that appends need no task (`fast/`); an application may have to be waited for,
    and who started a run has to be looked up.

    Args:
        authenticator: says who calls.
        starter_of: says who started a run; None: no person, or there is no such run.
    """

    def allowed(identity: Identity, path: str, method: str) -> float | Awaitable[float]:
        run_id = needs_starter(identity, method, path)
        if run_id is not None:
            return ask_starter(identity, path, method, run_id)
        return checked(identity, path, method)

    def checked(identity: Identity, path: str, method: str) -> float:
        check_stream(identity, method, path)
        return until(identity)

    def until(identity: Identity) -> float:
        return inf if identity.until is None else identity.until * 1000

    async def ask_starter(identity: Identity, path: str, method: str, run_id: str) -> float:
        if await starter_of(run_id) == identity.starter:
            return until(identity)
        return checked(identity, path, method)

    async def ask(scope: Scope, path: str, method: str) -> float:
        said = allowed(await authenticator.identify(scope), path, method)
        return said if isinstance(said, float) else await said

    def authorize(scope: Scope, path: str, method: str) -> float | Awaitable[float]:
        if authenticator.by_token:
            return allowed(authenticator.identify_now(scope), path, method)
        return ask(scope, path, method)

    return authorize

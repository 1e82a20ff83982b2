"""Who sends a request: whoever its token says, or whoever the application around says (`identify`).

What an application's `identify` does is its own trouble: if it fails, the log gets its traceback and that one request
is answered 500.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import isawaitable
from math import inf

from signoff.errors import SignoffError, Unauthorized
from signoff.server.access.identity import Identity, check_stream, needs_starter
from signoff.server.access.rates import RateLimit
from signoff.server.access.tokens import KeyWanted, TokenVerifier
from signoff.server.http.problems import defect
from signoff.server.http.reply import Scope, header

Identify = Callable[[Scope], Identity | Awaitable[Identity]]
"""Says who sends a request, at once or when awaited; raises Unauthorized. Nobody is `Identity()`."""


class Authenticator:
    """The way to find out who sends a request.

    Args:
        tokens: knows bearer tokens.
        identify: is asked instead of looking at tokens.
        calls: bounds how often each caller may call; None: not at all.
        failures: bounds how often an address may send tokens that are not valid; None: not at all.
    """

    def __init__(
        self,
        tokens: TokenVerifier,
        identify: Identify | None = None,
        *,
        calls: RateLimit | None = None,
        failures: RateLimit | None = None,
    ) -> None:
        self._tokens = tokens
        self._identify = identify
        self._calls = calls
        self._failures = failures

    @property
    def by_token(self) -> bool:
        """Tell whether the same header means the same caller, for as long as `Identity.until` says."""
        return self._identify is None

    def identify_now(self, scope: Scope) -> Identity:
        """Return who sends a request, if tokens say so.

        Raises:
            KeyWanted: the token's key is not known yet: `identify` may find out.
            Unauthorized: the token is not valid.
            TooManyRequests: it is not, and too many from this address were not.
        """
        try:
            return self._tokens.identify(header(scope, b"authorization"))
        except KeyWanted:
            raise
        except Unauthorized:
            self.failed(scope)
            raise

    def admit(self, scope: Scope, identity: Identity) -> None:
        """Count a call of somebody; operators, whose programs start runs by the thousand, may call as they like.

        Raises:
            TooManyRequests: it is one too many for now.
        """
        if self._calls is not None and not identity.operator:
            self._calls.take(_address(scope) if identity.sub is None else f"user:{identity.sub}")

    def admit_link(self, link_id: str) -> None:
        """Count a call through a signed link, apart from those of the person it is for: scanners open links, too.

        Raises:
            TooManyRequests: it is one too many for now.
        """
        if self._calls is not None:
            self._calls.take(f"link:{link_id}")

    def failed(self, scope: Scope) -> None:
        """Count a token or a link that is not valid.

        Raises:
            TooManyRequests: too many from this address were not.
        """
        if self._failures is not None:
            self._failures.take(_address(scope))

    async def identify(self, scope: Scope) -> Identity:
        """Return who sends a request.

        Raises:
            Unauthorized: the token is not valid, or the application does not know who calls.
            SignoffError: the application failed to say it.
        """
        if self._identify is None:
            return await self._by_token(scope)
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

    async def _by_token(self, scope: Scope) -> Identity:
        try:
            return self.identify_now(scope)
        except KeyWanted:
            await self._tokens.fetch()
        try:
            return self.identify_now(scope)
        except KeyWanted:
            self.failed(scope)
            raise


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return "" if client is None else str(client[0])


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
            try:
                identity = authenticator.identify_now(scope)
            except KeyWanted:
                return ask(scope, path, method)
            return allowed(identity, path, method)
        return ask(scope, path, method)

    return authorize

"""Who sends a request: whoever its token says, or whoever the application around says (`identify`).

What an application's `identify` does is its own trouble: if it fails, the log gets its traceback and that one request
is answered 500.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import isawaitable

from signoff.clock import Clock
from signoff.errors import SignoffError
from signoff.server.access.identity import Access, Identity
from signoff.server.config import ServerConfig
from signoff.server.http.problems import defect
from signoff.server.http.reply import Scope, header

Identify = Callable[[Scope], Identity | Awaitable[Identity]]
"""Says who sends a request, at once or when awaited; raises Unauthorized. Nobody is `Identity()`."""


class Callers:
    """A way to find out who sends a request.

    Args:
        config: has the key that signs tokens.
        identify: is asked instead of looking at tokens.
        clock: for the end of tokens.
    """

    def __init__(self, config: ServerConfig, identify: Identify | None = None, clock: Clock | None = None) -> None:
        self._access = Access(config, clock)
        self._identify = identify

    @property
    def by_token(self) -> bool:
        """Tell whether the same header means the same caller, for as long as `Identity.until` says."""
        return self._identify is None

    def at_once(self, scope: Scope) -> Identity:
        """Return who sends a request, if tokens say so.

        Raises:
            Unauthorized: the token is not valid.
        """
        return self._access.identify(header(scope, b"authorization"))

    async def identify(self, scope: Scope) -> Identity:
        """Return who sends a request.

        Raises:
            Unauthorized: the token is not valid, or the application does not know who calls.
            SignoffError: the application failed to say it.
        """
        if self._identify is None:
            return self.at_once(scope)
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

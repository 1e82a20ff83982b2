"""What a client prefers (RFC 7240): how long it would wait for a reply."""

from __future__ import annotations

import re
from typing import Final

from signoff.server.http.reply import Scope

MOST_WAIT_S: Final = 60.0

_WAIT: Final = re.compile(r'wait\s*=\s*"?([0-9]{1,9})"?')


def preferred_wait_s(scope: Scope, default_s: float) -> float:
    """Return how many seconds to wait for a reply, at most 60; what cannot be understood counts as not said.

    `respond-async` without a time to wait means not at all.

    Args:
        scope: of the request.
        default_s: what to wait unless the client says otherwise.
    """
    given = [bytes(value).decode("latin-1") for name, value in scope["headers"] if name == b"prefer"]
    preferences = [one.strip().lower() for header in given for one in header.split(",")]
    for one in preferences:  # the first counts
        if (wait := _WAIT.fullmatch(one.partition(";")[0].strip())) is not None:
            return min(float(wait[1]), MOST_WAIT_S)
    return 0.0 if any(one.partition(";")[0].strip() == "respond-async" for one in preferences) else default_s

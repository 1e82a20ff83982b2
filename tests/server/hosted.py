"""A host application with Signoff inside, for the command of a server: `hypercorn tests.server.hosted:host`."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import Mount

from signoff.embed import Signoff

alone = Signoff("memory:")
_mounted = Signoff("memory:")
host = Starlette(lifespan=_mounted.lifespan, routes=[Mount("/x", _mounted)])

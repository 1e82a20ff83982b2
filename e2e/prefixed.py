"""The console inside an application, below a prefix, where a token says who calls.

uvicorn prefixed:host
"""

from __future__ import annotations

import os

from starlette.applications import Starlette
from starlette.routing import Mount

from e2e.consoled import app
from signoff.embed import Signoff
from signoff.server.config import ServerConfig

SECRET = b"a key for tests, long enough for HS256"

signoff = Signoff(os.environ.get("SIGNOFF_STORE", "memory:"), app, config=ServerConfig(secret=SECRET))
host = Starlette(routes=[Mount("/tools/signoff", signoff)], lifespan=signoff.lifespan)

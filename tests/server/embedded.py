"""A host application with Signoff inside, as a process that ends by a signal.

Usage: python -m tests.server.embedded STORE_URL

Prints the port once it listens. uvicorn is left as it is, but for how much it logs.
"""

from __future__ import annotations

import socket
import sys

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from signoff.embed import Signoff


def main() -> None:
    """Serve until a signal comes."""
    signoff = Signoff(sys.argv[1])
    host = Starlette(lifespan=signoff.lifespan, routes=[Mount("/x", signoff)])
    listening = socket.create_server(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(host, log_level="warning")).run(sockets=[listening])


if __name__ == "__main__":
    main()

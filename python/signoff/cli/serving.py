"""What the server's sub-commands make of their options and the environment."""

from __future__ import annotations

import os
from pathlib import Path

from signoff.cli.misuse import Misuse
from signoff.server.config import ServerConfig


def server_config(page: str | None, origins: list[str] | None) -> ServerConfig:
    """Return the configuration: key and audience from SIGNOFF_SECRET and SIGNOFF_AUDIENCE.

    Raises:
        Misuse: the page's folder is not there.
    """
    secret = os.environ.get("SIGNOFF_SECRET") or None
    folder = Path(page) if page is not None else None
    if folder is not None and not (folder / "index.html").is_file():
        raise Misuse(f"--page {page}: there is no index.html in it; build the page first.")
    return ServerConfig(
        secret=os.fsencode(secret) if secret else None,
        audience=os.environ.get("SIGNOFF_AUDIENCE") or None,
        origins=tuple(origins or ()),
        page=folder,
    )


def store_url(store: str | None) -> str:
    """Return the store's URL from the option or SIGNOFF_STORE.

    Raises:
        Misuse: neither is given.
    """
    chosen = store or os.environ.get("SIGNOFF_STORE")
    if not chosen:
        raise Misuse("Say --store URL (or set SIGNOFF_STORE), for example sqlite:///signoff.db.")
    return chosen

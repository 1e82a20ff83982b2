"""What the server's sub-commands make of their options and the environment."""

from __future__ import annotations

import os
import re
from pathlib import Path

from signoff.cli.misuse import Misuse
from signoff.server.config import ServerConfig
from signoff.streams.subscription_target import Targets


def server_config(
    page: str | None, origins: list[str] | None, public_url: str | None = None, targets: Targets | None = None
) -> ServerConfig:
    """Return the configuration: key and audience from SIGNOFF_SECRET and SIGNOFF_AUDIENCE.

    Raises:
        Misuse: the page's folder is not there, the public URL is none, or SIGNOFF_WEBHOOK_TARGETS is not understood.
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
        public_url=_public_url(public_url or os.environ.get("SIGNOFF_PUBLIC_URL")),
        webhooks=targets or _targets(os.environ.get("SIGNOFF_WEBHOOK_TARGETS")),
    )


def _public_url(given: str | None) -> str | None:
    if given and not re.fullmatch(r"https?://[^/?#\s]+(/[^?#\s]*)?", given):
        raise Misuse(f"--public-url {given}: it begins with https:// (or http://), and has no query.")
    return given or None


def _targets(given: str | None) -> Targets | None:
    try:
        return Targets(given) if given else None
    except ValueError:
        known = ", ".join(target.value for target in Targets)
        raise Misuse(f"SIGNOFF_WEBHOOK_TARGETS is {given!r}; it is one of {known}.") from None


def store_url(store: str | None) -> str:
    """Return the store's URL from the option or SIGNOFF_STORE.

    Raises:
        Misuse: neither is given.
    """
    chosen = store or os.environ.get("SIGNOFF_STORE")
    if not chosen:
        raise Misuse("Say --store URL (or set SIGNOFF_STORE), for example sqlite:///signoff.db.")
    return chosen

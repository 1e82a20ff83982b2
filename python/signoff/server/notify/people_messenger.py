"""Messages to people by mail and chat, through apprise, with a link by which the one who gets it decides."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from functools import cache
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from signoff.errors import NotFound
from signoff.links import mint
from signoff.server.notify.message import RequestMessage, concerns, ending, invitation
from signoff.server.notify.people import ASKING, PeopleTarget
from signoff.service.inputs import Inputs
from signoff.service.links import Links
from signoff.service.notify.target import NotifyTarget
from signoff.service.notify.threads import CallThreads
from signoff.workflow.notice import RequestEvent

NEEDS: Final = "Messages to people need apprise. Install it: pip install 'signoff[notify]'"

_HOSTS: Final = frozenset({"mailto", "mailtos", "json", "jsons", "xml", "xmls", "form", "forms"})
"""Schemes whose URLs have a host where others have a secret."""

_SHORT: Final = 4
"""Characters of a part of a URL that is too short to be a secret, and too common to be hidden wherever it stands."""


class PeopleMessenger:
    """What tells people, each by a message of their own.

    Apprise waits for what it calls, so each message has a thread.

    Args:
        targets: of the configuration.
        requests: where a request is looked at just before somebody is told of it.
        links: with the keys that links are signed with.
        public_url: under which people reach the server.

    Raises:
        ImportError, ValueError: see `check_people`.
    """

    def __init__(self, targets: Sequence[PeopleTarget], requests: Inputs, links: Links, public_url: str) -> None:
        check_people(targets)
        self._targets = {one.id: one for one in targets}
        self._requests = requests
        self._links = links
        self._public_url = public_url
        self._threads = CallThreads("signoff-message")

    def reaches(self, target: NotifyTarget) -> bool:
        """Tell whether this process is configured to tell it."""
        return target.id in self._targets

    def each(self, target: NotifyTarget, event: RequestEvent) -> Sequence[RequestEvent]:
        """Return the event once for each person whom the target reaches."""
        configured = self._targets[target.id]
        if not configured.wants(event):
            return ()
        return [replace(event, to=to) for to in configured.recipients(event.to)]

    async def tell(self, target: NotifyTarget, event: RequestEvent) -> str | None:
        """Send a message, unless it asks for what cannot be done any more; return why it was not taken, or None."""
        url = self._targets[target.id].url_for(event.to[0])
        message = None if url is None else await self._message(event)
        if url is None or message is None:
            return None
        return await self._threads.call(
            f"{target.id} {target.queue_of(event)}", event.id, lambda: send(url, message.title, message.body)
        )

    async def _message(self, event: RequestEvent) -> RequestMessage | None:
        if event.event not in ASKING:
            return ending(event)
        try:
            row = await self._requests.get(event.run_id, event.key)
        except NotFound:
            return None  # its run was deleted
        if not concerns(row, event):
            return None
        own = event.to[0].startswith("user:")
        return invitation(event, row, await self._link(event, row["asked_at"]) if own else self._public_url, own=own)

    async def _link(self, event: RequestEvent, asked_at: str) -> str:
        keyring = await self._links.keyring()
        return mint(keyring, event.run_id, event.key, event.to, base_url=self._public_url, asked_at=asked_at)


def check_people(targets: Sequence[PeopleTarget]) -> None:
    """Refuse what apprise cannot send.

    Raises:
        ImportError: the extra `signoff[notify]` is not installed.
        ValueError: a URL is none that apprise knows; it is not repeated.
    """
    apprise = _apprise()
    for target in targets:
        for principal, where in target.people.items():
            url = target.url_for(principal)
            with _QUIET.listening():
                if isinstance(where, str) and apprise.Apprise.instantiate(url) is None:
                    scheme = (url or "").partition("://")[0][:20]
                    raise ValueError(
                        f"{target.id}: apprise does not understand the URL ({scheme}://…) of {principal}. "
                        "See https://github.com/caronc/apprise/wiki for how each service is written."
                    )


def send(url: str, title: str, body: str) -> str | None:
    """Send a message, and wait for it; return why it was not taken, without anything of the URL, or None."""
    apprise = _apprise()
    # By these it stays in this thread, which nobody waits for; its own pool is small, and one that hangs would fill it.
    asset = apprise.AppriseAsset(
        app_id="Signoff",
        app_desc="Signoff",
        app_url="",
        image_url_mask="",  # its pictures are on somebody else's server
        image_url_logo="",
        async_mode=False,
        service_timeout=0,
    )
    with _QUIET.listening() as said:
        try:
            messages = apprise.Apprise(asset=asset)
            if messages.add(url) and messages.notify(title=title, body=body, body_format="text"):
                return None
        except Exception as error:  # whatever a plugin raises is a reason to try again
            said.append(type(error).__name__)
    return masked(" ".join(said)[:300] or "the service did not take it", url)


def masked(text: str, url: str) -> str:
    """Return a text without anything of a URL that could be a secret: all but its scheme, and a host that is one."""
    parts = urlsplit(url)
    shown = {parts.hostname, parts.netloc.rpartition("@")[2]} if parts.scheme.lower() in _HOSTS else set()
    pieces = {one for one in re.split(r"[/?&=#@:;,]", url.partition("://")[2]) if len(one) > _SHORT}
    hidden = {form for one in pieces for form in (one, unquote(one))} - shown
    for one in sorted(hidden, key=len, reverse=True):
        text = re.sub(re.escape(one), "****", text, flags=re.IGNORECASE)
    return text


class _Quiet(logging.Filter):
    """What keeps out of every log what apprise says while it sends for us: URLs, addresses and links are in it."""

    def __init__(self) -> None:
        super().__init__()
        self._said: ContextVar[list[str] | None] = ContextVar("said", default=None)  # goes along into its threads
        for name in ("apprise", "requests", "urllib3.connectionpool", "urllib3.util.retry"):
            logging.getLogger(name).addFilter(self)

    @contextmanager
    def listening(self) -> Iterator[list[str]]:
        """Gather the warnings of what is called in the block."""
        said: list[str] = []
        token = self._said.set(said)
        try:
            yield said
        finally:
            self._said.reset(token)

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a record may be logged."""
        said = self._said.get()
        if said is None:
            return True
        if record.levelno >= logging.WARNING:
            said.append(record.getMessage())
        return False


_QUIET: Final = _Quiet()


@cache
def _apprise() -> Any:
    try:
        with warnings.catch_warnings(), _QUIET.listening():
            warnings.simplefilter("ignore")  # of its plugins, which are all loaded with the first one that is used
            import apprise  # noqa: PLC0415 - an extra; loading it takes a while

            apprise.Apprise.instantiate("json://localhost")
    except ImportError as error:
        raise ImportError(NEEDS, name="apprise") from error
    return apprise

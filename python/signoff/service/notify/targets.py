"""The targets of notifications in the store: what operators do with them."""

from __future__ import annotations

import base64
import binascii
import secrets as random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import orjson

from signoff.errors import BadRequest, Conflict409, NotFound
from signoff.names import check_name
from signoff.paths import NOTIFICATIONS
from signoff.service.commit import GroupCommitter
from signoff.service.kinds import Kind, forget_record, free_record, put_record
from signoff.service.notify.target import NotifyTarget, TargetKind
from signoff.stores.base import Listing, WorkflowStore
from signoff.stores.change import Committed, Name, Subject
from signoff.workflow.notice import KINDS, RequestEvent, RunDeleted, read_notice

MOST_TARGETS: Final = 100
MOST_SECRETS: Final = 8
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - what all secrets begin with
_ATTEMPTS: Final = 50


class NotifyTargets:
    """The targets of a store.

    Example:
        >>> added = await engine.targets.add("crm", "webhook", "https://crm.example/hooks/signoff")
        >>> added["secrets"]
        ['whsec_…']
    """

    def __init__(self, store: WorkflowStore, committer: GroupCommitter) -> None:
        self._store = store
        self._committer = committer

    async def add(
        self,
        id_: str,
        kind: TargetKind,
        url: str = "",
        *,
        secrets: Sequence[str] = (),
        workflows: Sequence[str] | None = None,
        events: Sequence[str] | None = None,
    ) -> dict[str, Any]:
        """Tell somebody of what happens to requests from now on; return the target, with its secrets this once.

        Args:
            secrets: `whsec_…`, of a webhook; one is made if none is given. The first ones of several sign too, so that
                a receiver can change to another without missing anything.

        Raises:
            InvalidName, BadRequest: the id is malformed, or a secret, or there is no such event.
            Conflict409: the id is taken.
        """
        check_name(id_, "target id")
        if unknown := set(events or ()) - set(KINDS):
            raise BadRequest(f"There is no event {unknown.pop()!r}; there are {', '.join(KINDS)}. Nothing was added.")
        if kind == "webhook" and not secrets:
            secrets = (SECRET_PREFIX + base64.b64encode(random.token_bytes(32)).decode(),)
        _check_secrets(secrets)
        if len(await self.list()) >= MOST_TARGETS:
            raise BadRequest(f"There are {MOST_TARGETS} targets already. Nothing was added; remove one.")
        only = None if workflows is None else tuple(workflows)
        kinds = None if events is None else tuple(events)
        target = NotifyTarget(id_, kind, url, tuple(secrets), only, kinds, await self.tails())
        written = put_record(free_record(Kind.NOTIFY, id_, target.dumps()))
        if not isinstance(await self._committer.commit(written), Committed):
            raise Conflict409(f"There is a target {id_!r} already. Nothing was added; remove it first.")
        return target.shown(0) | {"secrets": list(target.secrets)}

    async def records(self) -> list[tuple[NotifyTarget, Subject]]:
        """Return all targets with their records."""
        page = await self._store.list_subjects(Listing(Kind.NOTIFY), limit=MOST_TARGETS * 2)
        return [(NotifyTarget.loads(subject.state), subject) for subject in page.items]

    async def list(self) -> Sequence[Mapping[str, Any]]:
        """Return all targets as operators see them, without URLs and secrets, by id."""
        tails = await self.tails()
        shown = [target.shown(_unread(target, tails)) for target, _ in await self.records()]
        return sorted(shown, key=lambda one: str(one["id"]))

    async def show(self, id_: str) -> dict[str, Any]:
        """Return a target as operators see it, without its URL and secrets.

        Raises:
            NotFound: there is none.
        """
        target, _ = await self.load(id_)
        return target.shown(_unread(target, await self.tails()))

    async def load(self, id_: str) -> tuple[NotifyTarget, Subject]:
        """Return a target and its record.

        Raises:
            NotFound: there is none.
        """
        loaded = await self._store.load(Name(Kind.NOTIFY, id_))
        if loaded is None:
            raise NotFound(f"There is no target {id_!r} of notifications.")
        return NotifyTarget.loads(loaded.subject.state), loaded.subject

    async def remove(self, id_: str) -> None:
        """Tell a target nothing more; what waits for it is dropped.

        Raises:
            NotFound: there is none.
        """
        for _ in range(_ATTEMPTS):
            _, subject = await self.load(id_)
            if isinstance(await self._committer.commit(forget_record(subject)), Committed):
                return

    async def retry(self, id_: str) -> int:
        """Have a target told at once of what failed; return how many events had been given up.

        Raises:
            NotFound: there is none.
        """
        return await self._change(id_, NotifyTarget.retry)

    async def skip(self, id_: str, event: str | None = None) -> int:
        """Give up what has failed at a target, or one event that waits, so that the next are told; return how many.

        They are kept for `retry`.

        Raises:
            NotFound: there is no such target.
        """
        return await self._change(id_, lambda target: target.skip(event))

    async def pause(self, id_: str, *, paused: bool = True) -> None:
        """Tell a target nothing for now, or go on; what happens meanwhile waits.

        Raises:
            NotFound: there is none.
        """

        def change(target: NotifyTarget) -> int:
            target.paused = paused
            return 0

        await self._change(id_, change)

    async def sign_with(self, id_: str, secrets: Sequence[str]) -> None:
        """Sign a webhook with these secrets from now on, all of them: the new one first, the old one while it is used.

        Raises:
            BadRequest: one is malformed, there is none, or the target is no webhook.
            NotFound: there is no such target.
        """
        if not secrets:
            raise BadRequest("A webhook is signed with one secret at least. Nothing was changed.")
        _check_secrets(secrets)

        def change(target: NotifyTarget) -> int:
            if target.kind != "webhook":
                raise BadRequest(f"{id_!r} is no webhook: nothing is signed. Nothing was changed.")
            target.secrets = tuple(secrets)
            return 0

        await self._change(id_, change)

    async def _change(self, id_: str, change: Callable[[NotifyTarget], int]) -> int:
        for _ in range(_ATTEMPTS):
            target, subject = await self.load(id_)
            result = change(target)
            if await self.put(target, subject.version) is not None:
                return result
        raise BadRequest(f"The target {id_!r} changes too fast. Nothing was done; try again.")

    async def put(self, target: NotifyTarget, version: int) -> int | None:
        """Write a target that was decided on a version; return the new one, or None if somebody was faster."""
        record = free_record(Kind.NOTIFY, target.id, target.dumps(), expect=version)
        done = await self._committer.commit(put_record(record, version))
        return record.version if isinstance(done, Committed) else None

    async def tails(self) -> dict[str, int]:
        """Return how far the streams of notifications have grown."""
        found = await self._store.find_streams(NOTIFICATIONS)
        return {path: found[path].tail if path in found else 0 for path in NOTIFICATIONS}

    async def read(self, path: str, start: int, max_bytes: int) -> tuple[Sequence[RequestEvent | RunDeleted], int]:
        """Return events from a position on, and the position after them; what was dropped before it is passed over."""
        found = await self._store.read(path, start, max_bytes)
        if found is None:
            return [], start
        head, batches = found
        start, events = max(start, head.base), []
        for batch in batches:
            messages = orjson.loads(b"[%b]" % batch.data)
            events += [read_notice(one) for one in messages[max(0, start - batch.start) :]]
            start = max(start, batch.end)
        return events, start


def _check_secrets(secrets: Sequence[str]) -> None:
    if len(secrets) > MOST_SECRETS:
        raise BadRequest(f"A webhook is signed with {MOST_SECRETS} secrets at most. Nothing was changed.")
    for secret in secrets:
        secret_bytes(secret)


def secret_bytes(secret: str) -> bytes:
    """Return the key that a `whsec_…` secret is.

    Raises:
        BadRequest: it is malformed, or too short or long for the scheme; it is not repeated.
    """
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(SECRET_PREFIX) or not 24 <= len(key) <= 64:
        raise BadRequest("A secret of a webhook is `whsec_` and 24 to 64 bytes in base64. Nothing was changed.")
    return key


def _unread(target: NotifyTarget, tails: Mapping[str, int]) -> int:
    return sum(max(0, tail - target.cursors.get(path, 0)) for path, tail in tails.items())

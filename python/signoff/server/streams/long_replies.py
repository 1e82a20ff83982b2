"""Long answers on their way: how much of them is in memory is bounded, however many clients are slow.

What is sent goes in pieces, the next one when the client has taken most of the last. Of a long answer a connection
holds the piece it sends and no more: the whole is kept in `LongReplies`, once for all who want the same, and only while
there is room. Who comes for a piece of an answer that had to make way for others loads it again: what streams hold at a
position never changes.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final

from signoff.server.http.reply import Header, Receive, Send

PIECE: Final = 64 * 1024
"""Bytes that are handed to a connection at once."""

ROOM: Final = 64 << 20
"""Bytes of long answers that are kept in memory together."""

LOADS: Final = 6
"""Reads whose outcome is in memory at once, on the way to being kept: more would not be faster."""

Load = Callable[[], Awaitable[bytes | None]]
"""Makes an answer anew; None: it cannot be made any more."""


class ReplyLost(Exception):
    """The reason to end a connection: an answer cannot be made anew, so that its client has to ask again."""


@dataclass(slots=True)
class _Kept:
    """An answer that somebody is sent."""

    body: bytes | None
    users: int = 0


class LongReplies:
    """The long answers of one server, each kept once for all who are sent it.

    Args:
        most: bytes of them together, if they are several.

    Attributes:
        size: bytes that are kept now.
        under_way: long responses that are being sent now, live ones apart.
    """

    def __init__(self, most: int = ROOM) -> None:
        self._most = most
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._loads = asyncio.Semaphore(LOADS)
        self.size = 0
        self.under_way = 0

    def loading(self) -> AbstractAsyncContextManager[None]:
        """Wait for the turn to load something that may be much."""
        return self._loads

    def enter(self, key: Hashable, body: bytes) -> None:
        """Keep an answer, which is the same whenever its key is, until all who entered it have left."""
        kept = self._kept.setdefault(key, _Kept(None))
        kept.users += 1
        self._put(key, kept, body)

    def leave(self, key: Hashable) -> None:
        """Need an answer no longer."""
        kept = self._kept[key]
        kept.users -= 1
        if not kept.users:
            self._drop(kept)
            del self._kept[key]

    async def piece(self, key: Hashable, start: int, load: Load) -> bytes:
        """Return a piece of an answer that was entered.

        Raises:
            ReplyLost: the answer made way for others, and cannot be made anew.
        """
        kept = self._kept[key]
        if kept.body is None:
            async with self._loads:
                body = kept.body or await load()
            if body is None:
                raise ReplyLost
            self._put(key, kept, body)
            return body[start : start + PIECE]
        self._kept.move_to_end(key)
        return kept.body[start : start + PIECE]

    def _put(self, key: Hashable, kept: _Kept, body: bytes) -> None:
        self._kept.move_to_end(key)
        if kept.body is not None:
            return
        kept.body = body
        self.size += len(body)
        for other in list(self._kept.values()):
            if self.size <= self._most or other is kept:
                return
            self._drop(other)

    def _drop(self, kept: _Kept) -> None:
        if kept.body is not None:
            self.size -= len(kept.body)
            kept.body = None


@dataclass(frozen=True, slots=True)
class KeptReply:
    """What one who sends an answer knows of it while it is kept.

    Attributes:
        length: of the answer, in bytes.
        load: makes it anew.
    """

    replies: LongReplies
    key: Hashable
    length: int
    load: Load

    @classmethod
    def make(cls, replies: LongReplies, key: Hashable, body: bytes, load: Load) -> KeptReply:
        """Have an answer kept until it is left."""
        replies.enter(key, body)
        return cls(replies, key, len(body), load)

    async def send(self, send: Send, gone: Callable[[], bool], *, last: bool) -> None:
        """Send the answer piece by piece, and leave.

        Args:
            gone: tells whether the client has left.
            last: nothing follows in this response.

        Raises:
            ReplyLost: see `LongReplies.piece`.
        """
        try:
            start = 0
            while start < self.length and not gone():
                piece = await self.replies.piece(self.key, start, self.load)
                if not piece:
                    raise ReplyLost
                start += len(piece)
                more = not last or start < self.length
                await send({"type": "http.response.body", "body": piece, "more_body": more})
        finally:
            self.replies.leave(self.key)


@dataclass(frozen=True, slots=True)
class LongReply:
    """A response with a body that is kept."""

    headers: tuple[Header, ...]
    kept: KeptReply

    async def send(self, receive: Receive, send: Send) -> None:
        """Write the response.

        Raises:
            ReplyLost: see `LongReplies.piece`.
        """
        replies = self.kept.replies
        replies.under_way += 1
        departure = asyncio.create_task(departed(receive))
        try:
            headers = [*self.headers, (b"content-length", str(self.kept.length).encode("ascii"))]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await self.kept.send(send, departure.done, last=True)
        finally:
            replies.under_way -= 1
            departure.cancel()


async def departed(receive: Receive) -> None:
    """Return when the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def in_pieces(data: bytes, send: Send) -> None:
    """Send a part of a response, of which more follows, that the caller has to hold anyway."""
    for start in range(0, len(data), PIECE):
        piece = data if len(data) <= PIECE else data[start : start + PIECE]
        await send({"type": "http.response.body", "body": piece, "more_body": True})

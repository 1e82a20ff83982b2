"""A TCP proxy the test owns: it cuts connections, holds bytes back, loses replies."""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

_CHUNK: Final = 1 << 16
_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER: closing sends a reset, as a crashed machine or a firewall does."""


@dataclass(eq=False)
class _Pair:
    """A client's connection and the one to the server that belongs to it."""

    client: socket.socket
    server: socket.socket
    asked: bool = field(default=False)

    def other(self, one: socket.socket) -> socket.socket:
        return self.server if one is self.client else self.client


class Proxy:
    """A listener on a port of its own that hands bytes on to another port of this machine, in a thread of its own.

    Args:
        target: the port of the server behind it.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.lost = threading.Event()
        """Set when a reply has been lost after `lose_reply`."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._pairs: set[_Pair] = set()
        self._selector = selectors.DefaultSelector()
        self._waker, self._wakened = socket.socketpair()
        self._refusing = False
        self._stalled = False
        self._losing: tuple[bytes, Callable[[], None]] | None = None
        self._orders: list[Callable[[], None]] = []
        self._turn = threading.Condition()
        self._stopping = False
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wakened, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()

    # -- what a test does to it ------------------------------------------------------------------------------------

    @property
    def connections(self) -> int:
        """How many connections go through it now."""
        return len(self._pairs)

    def cut(self) -> int:
        """Reset all connections there are; return how many. New ones go through."""
        count = 0

        def order() -> None:
            nonlocal count
            count = len(self._pairs)
            for pair in list(self._pairs):
                self._end(pair)

        self._do(order)
        return count

    def refuse(self, refusing: bool = True) -> None:
        """Reset all connections and each new one from now on; False: let new ones through again."""

        def order() -> None:
            self._refusing = refusing
            for pair in list(self._pairs) if refusing else ():
                self._end(pair)

        self._do(order)

    def stall(self, stalled: bool = True) -> None:
        """Hold back what either side sends, connections open, new ones too; False: hand on what was held back."""

        def order() -> None:
            self._stalled = stalled
            for pair in self._pairs:
                for one in (pair.client, pair.server):
                    self._watch(one, pair)

        self._do(order)

    def lose_reply(self, holding: bytes = b"", *, then: Callable[[], None] = lambda: None) -> None:
        """Once, hand a request on, and reset its connection instead of handing on the first bytes of the reply.

        So the server has done what was asked, and the client does not know.

        Args:
            holding: bytes the request holds within one packet; by default any request.
            then: called in the proxy's thread when it has happened.
        """

        def order() -> None:
            self.lost.clear()
            self._losing = (holding, then)
            for pair in self._pairs:
                pair.asked = False

        self._do(order)

    def close(self) -> None:
        """Reset all connections and stop."""

        def order() -> None:
            self._stopping = True
            for pair in list(self._pairs):
                self._end(pair)

        if self._thread.is_alive():
            self._do(order)
            self._thread.join(timeout=10)
        for one in (self._listener, self._waker, self._wakened):
            one.close()
        self._selector.close()

    # -- its thread ------------------------------------------------------------------------------------------------

    def _do(self, order: Callable[[], None]) -> None:
        """Have something done in the thread, and wait until it is."""
        done = threading.Event()

        def whole() -> None:
            order()
            done.set()

        with self._turn:
            self._orders.append(whole)
        self._waker.send(b"!")
        assert done.wait(10), "the proxy does not answer"

    def _run(self) -> None:
        while not self._stopping:
            for key, _ in self._selector.select():
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is self._wakened:
                    self._obey()
                elif key.data in self._pairs and not self._stalled:
                    assert isinstance(key.fileobj, socket.socket)
                    self._hand_on(key.fileobj, key.data)

    def _obey(self) -> None:
        self._wakened.recv(_CHUNK)
        with self._turn:
            orders, self._orders = self._orders, []
        for order in orders:
            order()

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        if self._refusing:
            _reset(client)
            return
        try:
            server = socket.create_connection(("127.0.0.1", self.target), timeout=5)
        except OSError:
            _reset(client)
            return
        pair = _Pair(client, server)
        self._pairs.add(pair)
        for one in (client, server):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            one.settimeout(10)  # whoever takes nothing for so long is cut off
            self._watch(one, pair)

    def _watch(self, one: socket.socket, pair: _Pair) -> None:
        """Read from a socket unless everything is held back."""
        with contextlib.suppress(KeyError):
            self._selector.unregister(one)
        if not self._stalled:
            self._selector.register(one, selectors.EVENT_READ, pair)

    def _hand_on(self, one: socket.socket, pair: _Pair) -> None:
        try:
            data = one.recv(_CHUNK)
            if not data:
                self._end(pair, gently=True)
                return
            if self._losing is not None:
                holding, then = self._losing
                if one is pair.client and holding in data:
                    pair.asked = True
                elif one is pair.server and pair.asked:
                    self._losing = None
                    self._end(pair)
                    self.lost.set()
                    then()
                    return
            pair.other(one).sendall(data)
        except OSError:
            self._end(pair)

    def _end(self, pair: _Pair, *, gently: bool = False) -> None:
        self._pairs.discard(pair)
        for one in (pair.client, pair.server):
            with contextlib.suppress(KeyError):
                self._selector.unregister(one)
            if gently:
                one.close()
            else:
                _reset(one)


def _reset(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    one.close()

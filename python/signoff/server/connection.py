"""The documented place of `Listener`, for servers that an application makes itself; it lives in `http11/`."""

from signoff.server.http11.listener import Listener

__all__ = ["Listener"]

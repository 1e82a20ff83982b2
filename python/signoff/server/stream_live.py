"""The place where `Limits` was documented first; it lives in `streams/`."""

from signoff.server.streams.read import Limits

__all__ = ["Limits"]

"""The documented place of `HttpLimits`; it lives in `http11/`."""

from signoff.server.http11.limits import HttpLimits

__all__ = ["HttpLimits"]

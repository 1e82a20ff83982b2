"""Appends to shared streams that say nothing of where they go: posts of senders that are new each time."""

from __future__ import annotations

from uuid import uuid4

from signoff.stores.change import Change, Name, Post, Subject, SubjectWrite, new_mark


def blind(path: str, *messages: bytes) -> Change:
    """Return a Change that does nothing but post messages to a stream."""
    write = SubjectWrite(Subject(Name("sender", uuid4().hex), 1, b""), 0)
    return Change(write, (Post(path, b",".join(messages), len(messages)),), new_mark())

r"""What may be called what: names, keys, principals and paths. The one grammar; protocol §2.1 says the same.

    name       1 to 128 of A-Z a-z 0-9 _ . - and neither `.` nor `..`: runs, workflows, steps, inputs, timers, topics
    key        name `:` number, without leading zeros: one request of a run
    principal  `user:` or `group:`, and an id: who can be asked, and whose inbox a stream is
    id         1 to 255 bytes of UTF-8 without `/`, `\` and `%`, and without control and invisible characters: a token's
               `sub` and each of its `groups`
    path       segments joined by `/`, 1 to 1,024 bytes of UTF-8: a stream
    segment    characters without `\` and control characters, nothing that is percent-encoded; neither `.` nor `..`

So each name is an id, and `inbox/` with any principal is a path. In the path of a URL what is not unreserved there is
percent-encoded, once, segment by segment (`encodeURIComponent` in JavaScript, `quote(text, safe="")` in Python), and
decoded once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from signoff.errors import BadRequest, InvalidName

NAME: Final = r"[A-Za-z0-9_.-]{1,128}"
LONGEST_ID: Final = 255
"""Bytes of a token's `sub`, and of a group, in UTF-8. OpenID Connect allows a `sub` 255 ASCII characters."""

LONGEST_PATH: Final = 1024
"""Bytes of a path in UTF-8."""

LONGEST_PRINCIPAL: Final = len("group:") + LONGEST_ID
KINDS: Final = ("user", "group")

REMEMBERED: Final = 4096
"""Paths whose check is not repeated: every request makes it several times."""

_name = re.compile(NAME).fullmatch
_unnamable = re.compile(r"[^A-Za-z0-9_.-]")
_key = re.compile(rf"({NAME}):(?:0|[1-9][0-9]{{0,8}})").fullmatch
# Spelled out rather than asked of `str.isprintable`, whose answer changes with Python's tables of characters.
_UNSEEN: Final = (
    r"\x00-\x1f\x7f-\xa0\xad\u061c\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff\ufff9-\ufffb"
)
_no_id = re.compile(rf"[/\\%{_UNSEEN}\ud800-\udfff]").search
_no_path = re.compile(r"[\x00-\x1f\x7f-\x9f\\\ud800-\udfff]|%[0-9A-Fa-f]{2}").search

ID_RULE: Final = f"1 to {LONGEST_ID} bytes without / \\ % and without control or invisible characters"


def made_name(before: str, text: str) -> str:
    """Return a name that begins with `before` and goes on with any text, as far as a name can say it.

    Example:
        >>> made_name("tool.", "files:read")
        'tool.files_read'
    """
    return f"{before}{_unnamable.sub('_', text)}"[:128]


def is_name(text: str) -> bool:
    """Tell whether a text is a name."""
    return _name(text) is not None and text not in {".", ".."}


def check_name(name: object, what: str = "name") -> str:
    """Return `name` if it is one.

    Args:
        name: what was given.
        what: what it names, for the error.

    Raises:
        InvalidName: it is not a string that is a name.
    """
    if isinstance(name, str) and is_name(name):
        return name
    raise InvalidName(
        f"There can be no {what} {name!r:.200}: use 1 to 128 of the characters A-Z a-z 0-9 _ . - and neither `.` nor "
        "`..`. Nothing was stored."
    )


def is_key(text: str) -> bool:
    """Tell whether a text is the key of a request, `name:n`."""
    found = _key(text)
    return found is not None and is_name(found[1])


def is_id(text: str) -> bool:
    """Tell whether a text can be a token's `sub`, or one of its groups."""
    return 0 < len(text) <= LONGEST_ID and _no_id(text) is None and len(text.encode()) <= LONGEST_ID


def is_principal(text: str) -> bool:
    """Tell whether a text is a principal, such as `user:alice` or `group:finance`.

    Example:
        >>> is_principal("user:auth0|123"), is_principal("group:a/b"), is_principal("alice")
        (True, False, False)
    """
    kind, _, who = text.partition(":")
    return kind in KINDS and is_id(who)


@lru_cache(maxsize=REMEMBERED)
def check_path(path: str) -> str:
    """Return the path, if a stream may live there.

    Raises:
        BadRequest: it is empty or too long, has an empty segment, `.` or `..`, control characters, backslashes, or
            percent-encoding that is still there after decoding once.
    """
    if not path or len(path.encode("utf-8", "surrogatepass")) > LONGEST_PATH:
        raise BadRequest(f"A stream's path has 1 to {LONGEST_PATH} bytes.")
    if _no_path(path):
        raise BadRequest("A stream's path has no control characters, backslashes or doubly encoded characters.")
    if not {"", ".", ".."}.isdisjoint(path.split("/")):
        raise BadRequest("A stream's path has no empty segments, `.` or `..`.")
    return path


def check_text(text: object, what: str) -> None:
    """Refuse what is neither None nor text that can be written.

    Raises:
        TypeError, ValueError: it is another type, or has a lone surrogate.
    """
    if text is None:
        return
    if not isinstance(text, str):
        raise TypeError(f"The {what} is a text or None, not {type(text).__name__}.")
    text.encode()


def check_texts(given: object, what: str, example: str) -> None:
    """Refuse one text, or what is no collection, where several texts are meant: a text is a sequence, too, of letters.

    Args:
        given: the argument.
        what: which it is, e.g. "`to` of a request".
        example: how it is written.

    Raises:
        TypeError: saying so.
    """
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise TypeError(f"{what} is a list of texts, e.g. {example}, not {given!r:.100}.")

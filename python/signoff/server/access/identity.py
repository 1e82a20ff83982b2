"""Identities: who a caller is, and what its grants allow.

Each grant is `action:subject` or `operator`:

| grant                    | allows                                                             |
|--------------------------|--------------------------------------------------------------------|
| `run:read:{run_id}`      | the run, its pending requests and its stream, never its journal    |
| `run:read:mine`          | the same of all runs that this person started                      |
| `run:start:{workflow}`   | starting runs                                                      |
| `run:cancel:{run_id}`    | cancelling                                                         |
| `run:audit:{run_id}`     | the run's evidence: its journal, its decisions, and the signature  |
| `run:link:{run_id}`      | making signed links to the run's requests, with which others answer |
| `workflow:list:{name}`   | listing a workflow's runs, and its stream                          |
| `event:send:{topic}`     | sending events                                                     |
| `stream:read:{path}`     | an application's own stream; `stream:write:{path}` to change it    |
| `operator`               | everything                                                         |

A subject is one, or `*` for all, or the beginning of a path with `/*` after it: `stream:read:chat/*` is every stream
below `chat/`, at any depth, and not `chat` itself. A `*` anywhere else is a character like others.

Without any grant a person sees the requests asked of them and of their groups, and answers them.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from signoff.errors import Forbidden, Unauthorized
from signoff.names import ID_RULE, is_id
from signoff.workflow.entry import DecidedBy
from signoff.workflow.input.decide import Who

OPERATOR: Final = "operator"
"""The grant that allows everything."""

_MINE: Final = "run:read:mine"

_ENGINE_ROOTS = ("runs", "inbox", "workflows", "drafts", "notifications")


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller, and what it may do.

    Args:
        sub: the person; None: nobody, or the operator of this machine.
        groups: the person's groups.
        grants: what is allowed, as in a token.
        operator: may do everything; so may who has the grant `operator`.
        until: seconds since the epoch after which this is no longer so, and what is read live ends; None: no end.
        via: what proves it, as evidence names it: `token:{jti}` or `link:{id}`; None: nothing that has a name.

    Raises:
        TypeError: `sub` is no text, or `groups` or `grants` is no set of texts.
        ValueError: `sub` or a group cannot stand in a principal, see `signoff.names`.

    Example:
        >>> Identity("alice", groups={"finance"}, grants={"workflow:list:expense"}).principals
        frozenset({'user:alice', 'group:finance'})
    """

    sub: str | None = None
    groups: AbstractSet[str] = frozenset()
    grants: AbstractSet[str] = frozenset()
    operator: bool = False
    until: float | None = None
    via: str | None = None

    def __post_init__(self) -> None:
        for name, texts in (("groups", self.groups), ("grants", self.grants)):
            if not isinstance(texts, AbstractSet) or not all(isinstance(text, str) for text in texts):
                raise TypeError(f"`{name}` of an Identity is a set of texts.")
            object.__setattr__(self, name, frozenset(texts))
        if not isinstance(self.sub, str | None):
            raise TypeError(f"`sub` of an Identity is a text or None, not {type(self.sub).__name__}.")
        for who in self.groups if self.sub is None else (self.sub, *self.groups):
            if not is_id(who):
                raise ValueError(f"{who!r:.100} cannot stand in a principal, which takes {ID_RULE}.")
        if OPERATOR in self.grants:
            object.__setattr__(self, "operator", True)

    @property
    def anonymous(self) -> bool:
        """Tell whether nothing is known about the caller."""
        return self.sub is None and not self.operator

    @property
    def principals(self) -> frozenset[str]:
        """Return the names under which this person can be asked: `user:alice`, `group:finance`."""
        if self.sub is None:
            return frozenset()
        return frozenset({f"user:{self.sub}", *(f"group:{group}" for group in self.groups)})

    def by(self) -> DecidedBy:
        """Return what the journal keeps about who did something."""
        if self.sub is None:
            return DecidedBy("operator", "local")
        return DecidedBy("person", f"user:{self.sub}")

    def who(self) -> Who:
        """Return what the rules of answering need to know."""
        return Who(self.principals, self.by(), self.operator, self.via)

    def may(self, action: str, subject: str) -> bool:
        """Tell whether a grant (or being an operator) allows `action` on `subject`, whoever started it."""
        grants = self.grants
        if self.operator or f"{action}:*" in grants:
            return True
        if (grant := f"{action}:{subject}") in grants:
            return grant != _MINE  # that is not the run called so, but each that this person started
        cut = subject.find("/") + 1
        while cut > 0:
            if f"{action}:{subject[:cut]}*" in grants:
                return True
            cut = subject.find("/", cut) + 1
        return False

    @property
    def starter(self) -> str | None:
        """Return as whom this caller may read the runs that they started; None: they may not by that alone."""
        return f"user:{self.sub}" if self.sub is not None and _MINE in self.grants else None

    def require(self, action: str, subject: str) -> None:
        """Refuse unless `action` on `subject` is allowed.

        Raises:
            Unauthorized: nobody is known.
            Forbidden: somebody is, without this grant. Says the same whether the subject exists or not.
        """
        self.require_known()
        if not self.may(action, subject):
            raise Forbidden(f"This needs the grant {action}:{subject}, which your token does not have.")

    def require_known(self) -> None:
        """Refuse nobody.

        Raises:
            Unauthorized: the request has no token.
        """
        if self.anonymous:
            raise Unauthorized("Send a token: `Authorization: Bearer …`. Nothing was done.")

    def require_operator(self) -> None:
        """Refuse everybody but operators.

        Raises:
            Unauthorized, Forbidden: see `require`.
        """
        self.require_known()
        if not self.operator:
            raise Forbidden("This is for operators; your token does not have the grant `operator`.")


ANONYMOUS = Identity()
LOCAL_OPERATOR = Identity(operator=True)


def check_stream(identity: Identity, method: str, path: str) -> None:
    """Refuse a request to a stream that this caller may not read or write.

    Whether the stream exists makes no difference. That nobody but the engine writes to `runs/`, `inbox/` and
    `workflows/` is the endpoints' own rule.

    Args:
        method: of the request.
        path: below the stream root, decoded, e.g. `runs/r1`.

    Raises:
        Unauthorized, Forbidden: see `Identity.require`.
    """
    identity.require_known()
    root, _, rest = path.partition("/")
    if identity.operator and (root != "drafts" or method not in {"GET", "HEAD"}):
        return
    if method not in {"GET", "HEAD"}:
        allowed = root in _ENGINE_ROOTS or identity.may("stream:write", path)
    else:
        allowed = _may_read(identity, root, rest, path)
    if not allowed:
        raise Forbidden(f"Your token does not let you {'read' if method in {'GET', 'HEAD'} else 'write'} this stream.")


def needs_starter(identity: Identity, method: str, path: str) -> str | None:
    """Return the run whose starter may read a stream, if that could let this caller read it, and nothing else does."""
    root, _, rest = path.partition("/")
    run_id, _, part = rest.partition("/")
    if root != "runs" or method not in {"GET", "HEAD"} or identity.starter is None:
        return None
    return run_id if _of_readers(part) and not identity.may("run:read", run_id) else None


def _of_readers(part: str) -> bool:
    """Return True for the streams of a run that its readers may have: rows, outputs and files."""
    return part == "" or part.startswith(("out/", "files/"))


def _may_read(identity: Identity, root: str, rest: str, path: str) -> bool:
    match root:
        case "runs":
            run_id, _, part = rest.partition("/")
            return _of_readers(part) and identity.may("run:read", run_id)
        case "inbox" | "drafts":  # drafts are nobody else's business, not even an operator's
            return rest in identity.principals
        case "workflows":
            return identity.may("workflow:list", rest)
        case "notifications":  # operators have been let in before
            return False
        case _:
            return identity.may("stream:read", path)

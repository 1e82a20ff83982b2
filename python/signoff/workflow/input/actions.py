"""How the code says what may be chosen: names of actions that share a type, or actions with types of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Generic, Literal, TypeVar, overload

from signoff.workflow import codec
from signoff.workflow.entry import Encoded
from signoff.workflow.input.choices import INTENTS, usual_intent, usual_label
from signoff.workflow.input.schema import schema_of, takes_null
from signoff.workflow.input.submission import BACK

T_co = TypeVar("T_co", covariant=True)
S = TypeVar("S")

Intent = Literal["positive", "negative", "neutral"]

LONGEST: Final = {"label": 100, "confirm": 1_000}
"""Characters at most."""


class Action(Generic[T_co]):
    """One of the things a person may choose, and how it is shown.

    Args:
        type: what it takes; None: nothing, or where the request has a type for all actions, that one.
        label: what it is called; made of its name unless given.
        intent: what choosing it means: `positive`, `negative` or `neutral`. Unless given, `approve`, `submit` and
            `next` are positive, `reject` and `deny` negative, others neutral.
        confirm: what to ask before it is sent, such as "Delete all of it?"; None: nothing.

    Raises:
        TypeError, ValueError: naming the argument.

    Example:
        >>> actions = {"approve": None, "edit": Args, "stop": Action(Reason, intent="negative", confirm="Stop it all?")}
        >>> answer = await ctx.await_input("tool", actions=actions, title="Run the tool?")
    """

    __slots__ = ("confirm", "intent", "label", "type")

    @overload
    def __init__(
        self: Action[None],
        type: None = None,
        *,
        label: str | None = None,
        intent: Intent | None = None,
        confirm: str | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self: Action[S],
        type: type[S],
        *,
        label: str | None = None,
        intent: Intent | None = None,
        confirm: str | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self: Action[Any],
        type: Any,
        *,
        label: str | None = None,
        intent: Intent | None = None,
        confirm: str | None = None,
    ) -> None: ...
    def __init__(
        self,
        type: Any = None,  # noqa: A002 - it reads as what it is at the call
        *,
        label: str | None = None,
        intent: Intent | None = None,
        confirm: str | None = None,
    ) -> None:
        for name, text in (("label", label), ("confirm", confirm)):
            if text is not None and not (isinstance(text, str) and text.strip()):
                raise TypeError(f"The {name} of an action is a text that is not empty, or None.")
            if text is not None and len(text) > LONGEST[name]:
                raise ValueError(f"The {name} of an action has {LONGEST[name]} characters at most, not {len(text)}.")
        if intent is not None and intent not in INTENTS:
            raise ValueError(f"The intent of an action is {', '.join(INTENTS)} or None, not {intent!r:.100}.")
        self.type = type
        self.label = label
        self.intent = intent
        self.confirm = confirm

    def __repr__(self) -> str:
        return f"Action({self.type!r}, label={self.label!r}, intent={self.intent!r}, confirm={self.confirm!r})"


Actions = Sequence[str] | Mapping[str, Any]
"""Names, or names with what each takes or how it is shown."""


@dataclass(frozen=True, slots=True)
class Offered:
    """What may be chosen at a request, and how the code reads the answer.

    Attributes:
        names: of the actions, in order.
        choices: of each action what the request records: what is not as usual, and its schema if it has its own; also
            of actions that were offered before.
        type: of all actions; None where each has its own, see `types`.
        types: of each action, None for one that takes nothing; None where they share one.
    """

    names: list[str]
    choices: dict[str, dict[str, Any]]
    type: Any = None
    types: dict[str, Any] | None = field(default=None)

    def read(self, action: str, value: Encoded, *, checked: bool = False) -> Any:
        """Return the value of an accepted answer.

        Args:
            checked: it was read before, and is not judged again.

        Raises:
            UnsupportedValue: it is not of the type.
        """
        if action == BACK:
            return codec.decode(value, Any)
        type_ = self.type_for(action)
        if checked:
            return codec.decode(value, type_)
        if self.types is not None:
            return None if type_ is None else codec.receive(value, type_)
        return codec.receive(value, self.type) if self.is_value(action, value) else None

    def is_value(self, action: str, value: Encoded) -> bool:
        """Tell whether an answer has a value: null is none, unless the type of the action takes it (`int | None`)."""
        return value is not None or self.null_is_value(action)

    def null_is_value(self, action: str) -> bool:
        """Tell whether null is a value of what an action takes; not so of an action that takes nothing."""
        if self.types is None:
            return takes_null(self.type)
        type_ = self.types.get(action)
        return type_ is not None and takes_null(type_)

    def type_for(self, action: str) -> Any:
        """Return what an action's value is read as; None where it takes nothing, or anything."""
        return self.type if self.types is None else self.types.get(action, Any)

    @property
    def all_types(self) -> list[Any]:
        """Return what values are read as, whatever is chosen."""
        return [self.type] if self.types is None else [self.types[name] for name in self.names if name in self.types]

    def spec(self) -> dict[str, Any]:
        """Return what the request records of it."""
        choices = {name: self.choices[name] for name in self.names if name in self.choices}
        return {"actions": self.names, **({"choices": choices} if choices else {})}

    def with_back(self) -> Offered:
        """Return the same with a way back to the page before."""
        if BACK in self.names:
            return self
        names = [*self.names, BACK]
        if self.types is None:
            return Offered(names, self.choices, self.type)
        return Offered(names, self.choices | {BACK: {"schema": None}}, None, self.types | {BACK: None})

    def revised(self, actions: Actions) -> Offered:
        """Return what may be chosen from now on: other actions, or some of these.

        Raises:
            TypeError, ValueError: they are malformed, or have no types where these have.
        """
        if isinstance(actions, Mapping):
            return offered(actions, self.type) if self.types is None else offered_apart(actions)
        names = _names(actions)
        unknown = [name for name in names if self.types is not None and name not in self.types]
        if unknown:
            raise TypeError(f"The actions of this request have types of their own; say that of {unknown[0]!r:.100}.")
        return replace(self, names=names)


def offered(actions: Actions, type_: Any) -> Offered:
    """Read actions that share a type.

    Raises:
        TypeError: they are neither names nor a mapping to how they are shown.
    """
    if not isinstance(actions, Mapping):
        return Offered(_names(actions), {}, type_)
    choices = {}
    for name, action in actions.items():
        if not (action is None or (isinstance(action, Action) and action.type is None)):
            raise TypeError(
                f"The action {name!r:.100} has a type of its own, and the request one for all: "
                "give types with the actions alone, or Action(label=…) without a type."
            )
        said = _said(name, action)
        if said:
            choices[name] = said
    return Offered(list(actions), choices, type_)


def offered_apart(actions: Any) -> Offered:
    """Read actions with types of their own.

    Raises:
        TypeError: they are no such mapping, or a type cannot be described.
    """
    if not isinstance(actions, Mapping):
        raise TypeError(
            "await_input() takes a type for all actions, or actions with types of their own: "
            'actions={"approve": None, "edit": Args}.'
        )
    types = {name: action.type if isinstance(action, Action) else action for name, action in actions.items()}
    choices = {
        name: {"schema": None if types[name] is None else schema_of(types[name]), **_said(name, action)}
        for name, action in actions.items()
    }
    return Offered(list(actions), choices, None, types)


def _names(actions: Sequence[str]) -> list[str]:
    if isinstance(actions, str):
        raise TypeError(f"`actions` of a request is a list of texts, not the text {actions!r:.100}.")
    return list(actions)


def _said(name: str, action: Any) -> dict[str, str]:
    """Return how an action is shown, where that is not as usual."""
    if not isinstance(action, Action):
        return {}
    usual = {"label": usual_label(name), "intent": usual_intent(name), "confirm": None}
    given = {"label": action.label, "intent": action.intent, "confirm": action.confirm}
    return {member: text for member, text in given.items() if text is not None and text != usual[member]}

"""How the code asks page by page: each page is a request for input that knows the one before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, overload

from signoff.workflow.input.actions import Action, Actions
from signoff.workflow.input.answer import UNSET
from signoff.workflow.input.ask import ask_people, offering
from signoff.workflow.input.entries import InputRevised
from signoff.workflow.input.options import RequestOptions
from signoff.workflow.input.request import InputRequest
from signoff.workflow.input.submission import BACK
from signoff.workflow.offer import Feeds, Offer
from signoff.workflow.wizard.entries import WizardPrefilled

if TYPE_CHECKING:
    from signoff.workflow.commands import Commands

T = TypeVar("T")


class Wizard:
    """Pages that follow one another. Whoever fills them in may go back: `Context.wizard` makes one.

    Attributes:
        of: how many pages there are; None: that is not known yet. It may be set at any time, for the pages to come.
    """

    __slots__ = ("_commands", "_pages", "_points", "_step", "of")

    def __init__(self, commands: Commands, of: int | None) -> None:
        self.of = of
        self._commands = commands
        self._step = 0
        self._pages: list[InputRequest[Any]] = []
        self._points = commands.points

    @overload
    def ask(
        self,
        name: str,
        type: type[T],
        *,
        title: str,
        actions: Sequence[str] | Mapping[str, Action[None] | None] = ("submit",),
        step: int | None = None,
        **options: Unpack[RequestOptions],
    ) -> InputRequest[T]: ...
    @overload
    def ask(
        self,
        name: str,
        type: Any,
        *,
        title: str,
        actions: Sequence[str] | Mapping[str, Action[None] | None] = ("submit",),
        step: int | None = None,
        **options: Unpack[RequestOptions],
    ) -> InputRequest[Any]: ...
    @overload
    def ask(
        self,
        name: str,
        *,
        title: str,
        actions: dict[str, type[T] | Action[T]],
        step: int | None = None,
        **options: Unpack[RequestOptions],
    ) -> InputRequest[T]: ...
    @overload
    def ask(
        self,
        name: str,
        *,
        title: str,
        actions: dict[str, type[T] | Action[T] | None],
        step: int | None = None,
        **options: Unpack[RequestOptions],
    ) -> InputRequest[T | None]: ...
    @overload
    def ask(
        self,
        name: str,
        *,
        title: str,
        actions: Mapping[str, Any],
        step: int | None = None,
        **options: Unpack[RequestOptions],
    ) -> InputRequest[Any]: ...
    def ask(
        self,
        name: str,
        type: Any = UNSET,  # noqa: A002 - it reads as what it is at the call
        *,
        title: str,
        actions: Actions = ("submit",),
        step: int | None = None,
        **options: Unpack[RequestOptions],
    ) -> InputRequest[Any]:
        """Ask for the next page, as `Context.await_input` asks.

        If the page before it is answered, and no point of no return lies between, the page offers `back` as well: the
        run is then rewound to the last page that people have answered, which comes up with that answer. What was asked
        and done since is undone; steps that had an effect on the world have had it, and what others have decided since
        keeps people from going back. What is filled in of this page, all or half, comes up again with it, but for
        secrets. The code needs nothing for that: it never sees a `back`.

        Args:
            step: which page this is, from 1; the next one unless given.
            name, type, title, actions, options: as for `Context.await_input`.

        Example:
            >>> address = await pages.ask("address", Address, title="Where do you live?", to=[f"user:{who}"])
        """
        commands = self._commands
        self._step = self._step + 1 if step is None else step
        back = self._back(commands)
        place = {"step": self._step, "of": self.of, "back": back}
        offer = offering(type, actions) if back is None else offering(type, actions).with_back()
        request = ask_people(commands, name, offer, title=title, options=options, policy={"wizard": place})
        self._pages.append(request)
        return request

    def _back(self, commands: Commands) -> str | None:
        """Return the page that people may go back to: the last one that one of them has answered.

        One that a rule has answered would be answered so again.
        """
        if self._points != commands.points:
            self._points, self._pages = commands.points, []
        if not self._pages or self._pages[-1].pending:
            return None
        return next((page.id for page in reversed(self._pages) if page.answered_by_people), None)


class Wizards(Offer):
    """Pages that follow one another."""

    __slots__ = ()

    def wizard(self, of: int | None = None) -> Wizard:
        """Begin a wizard: pages that are asked one after the other, between which people may go back.

        Args:
            of: how many pages there are, for "step 2 of 4"; None: that is not known yet.

        Raises:
            ValueError: `of` is less than 1.

        Example:
            >>> pages = ctx.wizard(of=2)
            >>> contact = await pages.ask("contact", Contact, title="Who are you?", to=[who])
            >>> address = await pages.ask("address", Address, title="Where do you live?", to=[who])
        """
        if of is not None and of < 1:
            raise ValueError(f"A wizard has at least one page, not {of}.")
        return Wizard(self._commands, of)

    def point_of_no_return(self) -> None:
        """Let nobody go back to a page that was asked before, from here on.

        Call it before what cannot be undone: a payment, an account that is made.
        """
        commands = self._commands
        commands.points += 1
        for id_, request in list(commands.inputs.items()):
            place = request.place
            if place is not None and place["back"] is not None:
                actions = [action for action in request.actions if action != BACK]
                request.place = place | {"back": None}
                commands.issue(InputRevised, id_, id_, {"wizard": request.place, "actions": actions})


def _pass_over(_commands: Commands, _entry: WizardPrefilled) -> None:
    """Do nothing: it says nothing to the code."""


FEEDS: Feeds = {WizardPrefilled: _pass_over}

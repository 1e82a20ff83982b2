"""`/v1/answer/{token}`: what whoever opens a signed link sees, and the answer that they send with it.

GET, HEAD and OPTIONS change nothing, since mail scanners open every link. Whoever has the link acts as the person it
names, on that one request; the rules of answering are the same as everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import parse_qs

from signoff.errors import (
    BadRequest,
    BeingValidated,
    ClaimedByOther,
    Forbidden,
    Gone,
    InvalidAnswer,
    MethodNotAllowed,
    NotClaimed,
    NotFound,
    NotInAudience,
    SignoffError,
    Stale,
    StoreError,
    StoreUnavailable,
    SubmissionReused,
    TooManyRequests,
    UnsupportedMediaType,
)
from signoff.links import PATH, SignedLink, read
from signoff.server.access.authenticator import Authenticator
from signoff.server.api.inputs import ANSWER_REFUSALS
from signoff.server.api.link_files import MOST_FORM, FormFiles
from signoff.server.api.openapi import ApiOperation
from signoff.server.config import ServerConfig
from signoff.server.forms import page
from signoff.server.forms.page import Attempt
from signoff.server.forms.reading import read_form
from signoff.server.http import body, multipart
from signoff.server.http.prefer import preferred_wait_s
from signoff.server.http.problems import problem
from signoff.server.http.reply import Header, Receive, Reply, Scope, Send, header, ok
from signoff.service.engine import Engine
from signoff.service.links import Links, still_means
from signoff.service.verdicts import WAIT_S
from signoff.timestamps import rfc3339
from signoff.workflow.entry import DecidedBy
from signoff.workflow.input.choices import may_be_left_out
from signoff.workflow.input.decide import Accepted, Who
from signoff.workflow.input.submission import AnswerRequest, parse_answer
from signoff.workflow.input.uploaded import takes_files

MOST_FIELDS = 5_000
"""Fields that a form may send."""

_FORM = "application/x-www-form-urlencoded"
_ALLOW = "GET, HEAD, OPTIONS, POST"
_HTML: tuple[Header, ...] = (
    (b"content-type", b"text/html; charset=utf-8"),
    (b"content-security-policy", page.POLICY.encode("ascii")),
    (b"x-robots-tag", b"noindex, nofollow"),
    (b"cache-control", b"no-store"),
)
_HEADINGS: Final[dict[type[SignoffError], str]] = {
    NotInAudience: "Not asked of you any more",
    ClaimedByOther: "Somebody else works on it",
    BeingValidated: "Being checked",
    NotFound: "This link leads nowhere",
    Gone: "This link is over",
}
_USED = (
    "This link was good for one answer, and one was given through it. Nothing more was recorded. "
    "Ask whoever sent it for another if you want to answer again."
)


_TOLD: Final = {
    200: "The request with its form, or what became of it.",
    403: "It is not asked of whom the link is for any more, or the link allows nothing of what is offered.",
    404: "This is no link.",
    409: "Somebody else works on it.",
    410: "The link has ended, or was taken back.",
    429: "It was opened too often in a short time.",
    503: "The store cannot be used right now; nothing was recorded.",
}
_PATH: Final = f"{PATH}{{token}}"

DESCRIBED: Final = (
    ApiOperation("GET", _PATH, "openLink", "Show the request of a signed link (§8.11)", None, {}, pages=_TOLD),
    ApiOperation("HEAD", _PATH, "lookAtLink", "Do as GET does, without the page", None, {}, pages=_TOLD),
    ApiOperation("OPTIONS", _PATH, "methodsOfLink", "Tell which methods there are", None, {}),
    ApiOperation(
        "POST",
        _PATH,
        "answerByLink",
        "Decide as whom a signed link is for, exactly once (§8.11)",
        None,
        {200: "answer-reply.json", 202: "answer-reply.json"},
        (
            BadRequest,
            Forbidden,
            NotFound,
            Gone,
            *ANSWER_REFUSALS,
            TooManyRequests,
            StoreError,
            StoreUnavailable,
        ),
        request="answer-request.json",
        form="`action`, `submission_id`, `seen_offset`, `asked_at`, and the fields of the page that GET shows.",
        form_files="The same, and files. Only where the request takes some (§8.13): else 415.",
        pages={
            200: "What became of the answer; or the form with more rows, if `add` asks for them.",
            202: "It is being checked.",
            400: "The form could not be read.",
            403: _TOLD[403],
            404: _TOLD[404],
            409: "It is decided, or was changed: the form again, with what changed; or the link was used.",
            410: _TOLD[410],
            413: "The form is too large.",
            415: "It is neither a form nor JSON.",
            422: "The form again, with what does not fit where it is.",
            429: _TOLD[429],
            503: "It is not known whether it was recorded; send it again.",
        },
        replays=True,
    ),
)
"""What the OpenAPI document says of links, which are served apart from the API: who calls is said by the link."""


class LinkEndpoint:
    """The endpoint of signed links."""

    def __init__(self, engine: Engine, config: ServerConfig, authenticator: Authenticator, links: Links) -> None:
        self._engine = engine
        self._authenticator = authenticator
        self._config = config
        self._links = links

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        if method == "OPTIONS":
            await Reply(204, b"", ((b"allow", _ALLOW.encode("ascii")),)).send(send)
            return
        if method not in {"GET", "HEAD", "POST"}:
            raise MethodNotAllowed(f"This address takes {_ALLOW}. Nothing was done.", allow=_ALLOW)
        as_json = method == "POST" and _kind(scope) == "application/json"
        visit = _Visit(self._engine, self._config, self._links)
        try:
            link = await self._entered(visit, scope)
            self._authenticator.admit_link(link.id)
            if method == "POST":
                reply = await (visit.post_json if as_json else visit.post_form)(link, scope, receive)
            else:
                reply = await visit.show(link)
        except SignoffError as error:
            reply = problem(error)  # which tells the log what people are not told
            if not as_json:
                more = [one for one in reply.headers if one[0] != b"content-type"]
                reply = Reply(error.status, visit.told(error), (*_HTML, *more))
        await reply.send(send, head=method == "HEAD")

    async def _entered(self, visit: _Visit, scope: Scope) -> SignedLink:
        """Return the link, if it is good; count by address what is no link.

        Raises:
            NotFound, Gone, TooManyRequests: it is not.
        """
        try:
            return await visit.enter(scope["path_params"]["token"])
        except NotFound:
            self._authenticator.failed(scope)
            raise


@dataclass(slots=True)
class _Visit:
    """One request that came through a link."""

    engine: Engine
    config: ServerConfig
    links: Links

    async def enter(self, token: str) -> SignedLink:
        """Return the link, if it is good.

        Raises:
            NotFound, Gone: it is none, has ended, or was revoked.
        """
        link = read(await self.links.keyring(), token, self.engine.clock.now_ms() / 1000)
        if self.engine.revocations.revoked(f"link:{link.id}", None):
            raise Gone("This link was taken back by whoever sent it. Nothing was recorded. Ask them for another.")
        return link

    async def show(self, link: SignedLink) -> Reply:
        """Show the request, or what became of it; nothing is changed."""
        if link.once and (used := await self.links.used(link.run_id, link.id)) is not None:
            return _page(page.used_page(used.row, used.outcome, link.person))
        row = await self._row(link)
        self._check(link, row)
        if row["status"] == "validating":
            words = "An answer to this is being checked just now. Look again in a moment."
            return _page(page.message("Being checked", words))
        if row["status"] != "pending":
            return _page(page.ended_page(row))
        return _page(page.request_page(row, _allowed(link, row)))

    async def _row(self, link: SignedLink) -> dict[str, Any]:
        """Return the request that a link is for.

        Raises:
            RunNotFound, InputNotFound: nobody asks it any more.
            Gone: another run asks another one at its place.
        """
        began, row = await self.engine.inputs.found(link.run_id, link.key)
        if not still_means(link.asked_at, began, row):
            raise Gone(
                "What this link was for is not asked any more: its run was deleted, and what stands there now is asked "
                "by another. Nothing was recorded. Ask whoever sent it for another."
            )
        return row

    def _check(self, link: SignedLink, row: dict[str, Any]) -> None:
        """Refuse to show a request that is not for whom the link names.

        Raises:
            NotInAudience, ClaimedByOther: it is not any more, or somebody else works on it.
        """
        who = set(link.to)
        if who.isdisjoint(row["audience"]) or not who.isdisjoint(row["forbid"]):
            raise NotInAudience("This is not asked of you any more; somebody else decides it. Nothing was recorded.")
        claim = row["claim"]
        if row["status"] == "pending" and claim and claim["by"]["id"] not in who and not self._over(claim["until"]):
            raise ClaimedByOther(
                f"{claim['by']['id'] or 'Somebody else'} works on this just now. Nothing was recorded.", row=row
            )

    def _over(self, until: str) -> bool:
        return until <= rfc3339(self.engine.clock.now_ms())

    async def post_json(self, link: SignedLink, scope: Scope, receive: Receive) -> Reply:
        """Take the body of an answer, as `…/answer` does."""
        body.check_content_type(scope)
        sent = parse_answer(body.parse(await body.read(scope, receive, self.config.max_body), self.config.max_depth))
        row = await self._row(link)
        # Whoever does not say which request they mean, means the one that the link is for.
        sent = replace(sent, asked_at=sent.asked_at or row["asked_at"])
        accepted = await self._answer(link, sent, preferred_wait_s(scope, WAIT_S))
        value = {"outcome": accepted.outcome, "offset": accepted.offset, "txid": accepted.txid, "row": accepted.row}
        again = ((b"idempotency-replayed", b"true"),) if accepted.replayed and not accepted.validating else ()
        return ok(value, 202 if accepted.validating else 200, *again)

    async def post_form(self, link: SignedLink, scope: Scope, receive: Receive) -> Reply:
        """Take what a page's form sends: decide, or show the page again.

        Whether the request is still for whom the link names is for the rules of answering to say: an answer that was
        taken is told again to whoever loads the page anew, whoever is asked by then.
        """
        filled, files = await self._filled(link, scope, receive)
        row = await self._row(link)
        faults = await FormFiles(self.engine, link.run_id, link.key, _who(link)).send(filled, files)
        add, action = _first(filled, "add"), _first(filled, "action")
        if add is not None:
            self._check(link, row)
            pending = row["status"] == "pending"
            return self._again(row, _allowed(link, row), filled, add) if pending else await self.show(link)
        if action is None:
            raise BadRequest("The form does not say what was chosen. Nothing was recorded. Go back and choose.")
        sent, seen = _answer_in(filled, row, action), _first(filled, "seen") or ""
        try:
            if faults:
                raise InvalidAnswer("A file was not taken.", errors=faults)  # noqa: TRY301 - told as what is below is
            accepted = await self._answer(link, sent, preferred_wait_s(scope, WAIT_S))
        except InvalidAnswer as error:
            row = error.extra.get("row", row)
            self._check(link, row)
            attempt = Attempt(action, sent.value, error.extra.get("errors", ()))
            notice = "Something does not fit yet; nothing was recorded. It is said where it is."
            return _page(page.request_page(row, _allowed(link, row), attempt, notice), 422)
        except Stale as error:
            now = error.extra["row"]
            changed = page.changed_since(now, seen)
            what = f" What changed: {', '.join(changed)}." if changed else ""
            how = "was changed after you opened it" if sent.is_for(now) else "is another request than you had opened"
            notice = f"This {how}, so your answer was not recorded.{what} Look, and send again."
            attempt = Attempt(action if action in now["choices"] else None, sent.value)
            return _page(page.request_page(now, _allowed(link, now), attempt, notice), 409)
        status = 202 if accepted.validating else 200
        return _page(page.accepted_page(accepted.row, accepted.outcome, action), status)

    async def _filled(self, link: SignedLink, scope: Scope, receive: Receive) -> multipart.SentForm:
        """Return what a form has, by control, and its files; a form that may have some is only taken where they are."""
        if _kind(scope) == multipart.KIND and takes_files(await self._row(link)):
            data = await body.read(scope, receive, MOST_FORM)
            return multipart.read_form(data, header(scope, b"content-type") or "")
        if _kind(scope) != _FORM:
            raise UnsupportedMediaType(f"This address takes a form ({_FORM}), or JSON. Nothing was recorded.")
        return _parsed(await body.read(scope, receive, self.config.max_body)), []

    def _again(self, row: dict[str, Any], allowed: list[str], filled: dict[str, list[str]], add: str) -> Reply:
        """Show the page with more rows; nothing is decided."""
        action = next((one for one in allowed if page.form_for(row, one) is not None), allowed[0])
        group = _first(filled, "group")
        action = group if group in allowed else action
        fields = page.form_for(row, action)
        value = None if fields is None else read_form(fields, filled)
        return _page(page.request_page(row, allowed, Attempt(action, value, (), frozenset({add}))))

    async def _answer(self, link: SignedLink, sent: AnswerRequest, wait_s: float) -> Accepted:
        """Answer as whom the link names.

        What has to be claimed first is claimed with the answer: without JavaScript there is nothing else to claim with.

        Raises:
            Forbidden: the link does not allow the action.
            SubmissionReused: it was good for one answer, and there was one.
            SignoffError: as `Inputs.answer` does.
        """
        if link.actions is not None and sent.action not in link.actions:
            raise Forbidden("This link does not allow what was chosen. Nothing was recorded.")
        if link.once:
            number = await self.links.submission_id(link.run_id, link.id)
            sent = replace(sent, submission_id=number)
        who = _who(link)
        try:
            try:
                return await self.engine.inputs.answer(link.run_id, link.key, sent, who, wait_s=wait_s)
            except NotClaimed:
                await self.engine.inputs.act("claim", link.run_id, link.key, {}, who)
                return await self.engine.inputs.answer(link.run_id, link.key, sent, who, wait_s=wait_s)
        except SubmissionReused as error:
            if link.once:
                raise SubmissionReused(_USED, row=error.extra.get("row")) from error
            raise

    def told(self, error: SignoffError) -> bytes:
        """Return the page that says what went wrong."""
        row = error.extra.get("row")
        if isinstance(error, SubmissionReused) and error.detail == _USED:
            return page.message("This link was used", _USED)
        if row is not None and row["status"] not in {"pending", "validating"}:
            return page.ended_page(row)
        heading = next((said for kind, said in _HEADINGS.items() if isinstance(error, kind)), None)
        if heading is None:
            return page.message(error.title, error.public_detail, kind="error")
        return page.message(heading, error.public_detail)


def _who(link: SignedLink) -> Who:
    return Who(frozenset(link.to), DecidedBy("person", link.person), via=f"link:{link.id}")


def _allowed(link: SignedLink, row: dict[str, Any]) -> list[str]:
    actions: list[str] = [one for one in row["actions"] if link.actions is None or one in link.actions]
    if not actions:
        raise Forbidden("Nothing that this link allows may be chosen any more. Nothing was recorded.")
    return actions


def _answer_in(filled: dict[str, list[str]], row: dict[str, Any], action: str) -> AnswerRequest:
    """Return the answer that a form sends."""
    fields = page.form_for(row, action) if action in row["choices"] else None
    value = None if fields is None else read_form(fields, filled)
    if _is_blank(value) and action in row["choices"] and may_be_left_out(row, action):
        value = None
    hidden = {name: _first(filled, name) for name in ("submission_id", "seen_offset")}
    if "asked_at" in filled:
        hidden["asked_at"] = _first(filled, "asked_at")
    return parse_answer({**hidden, "action": action, "value": value})


def _is_blank(value: Any) -> bool:
    """Return True if no field has a value: a browser sends the empty fields of a form as well."""
    if isinstance(value, dict | list):
        return all(map(_is_blank, value.values() if isinstance(value, dict) else value))
    return value in (None, "", False)


def _page(content: bytes, status: int = 200) -> Reply:
    return Reply(status, content, _HTML)


def _kind(scope: Scope) -> str:
    return (header(scope, b"content-type") or "").partition(";")[0].strip().lower()


def _first(filled: dict[str, list[str]], name: str) -> str | None:
    return filled[name][0] if name in filled else None


def _parsed(data: bytes) -> dict[str, list[str]]:
    try:
        return parse_qs(
            data.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS, separator="&"
        )
    except ValueError as error:
        raise BadRequest("The form could not be read. Nothing was recorded.") from error

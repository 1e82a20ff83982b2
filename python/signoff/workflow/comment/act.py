"""Who may say what about a request for input."""

from __future__ import annotations

from typing import Final

from signoff.errors import AlreadyDecided, Expired, TooManyComments, Withdrawn
from signoff.shapes import maybe, text
from signoff.workflow import codec
from signoff.workflow.comment.entries import CommentAdded, said_already
from signoff.workflow.decision import Loaded
from signoff.workflow.input.decide import Who, already_decided, check_asked
from signoff.workflow.input.state import InputState
from signoff.workflow.input.verb import RequestDecision, RequestVerb, unchanged, written
from signoff.workflow.verb import Body, Member

MOST_COMMENTS: Final = 100
LONGEST: Final = 2_000


def comment(loaded: Loaded, request: InputState, body: Body, who: Who, now_ms: int) -> RequestDecision:
    """Say something about a request, for everybody who sees it. Whoever may not decide it may still speak.

    Raises:
        NotInAudience: the caller was not asked.
        AlreadyDecided, Expired, Withdrawn: it is decided; with the current `row`.
        TooManyComments: there are as many comments as there may be.
    """
    check_asked(request, who)
    comments = request.policy.get("comments", [])
    at = loaded.time(now_ms)
    comment_id = body.get("comment_id") or codec.digest([request.row["id"], len(comments), at, body["text"]])[:20]
    if said_already(comments, comment_id, who.by):
        return unchanged(request)
    if not request.pending:
        raise already_decided(request.row)
    if len(comments) >= MOST_COMMENTS:
        raise TooManyComments(
            f"The request {request.row['id']} has {MOST_COMMENTS} comments, as many as there may be; nothing was said.",
            row=request.row,
        )
    return written(loaded, request, CommentAdded(at, request.row["id"], comment_id, body["text"], who.by))


REQUEST_VERBS: Final = (
    RequestVerb(
        "comment",
        "Say something about a request for input, for everybody who sees it",
        "7.8",
        comment,
        members=(
            Member("text", text(LONGEST, lines=True), "What to say.", required=True),
            Member(
                "comment_id",
                maybe(text(128)),
                "Nobody says anything twice under one id; made up unless given.",
            ),
        ),
        refusals=(AlreadyDecided, Expired, Withdrawn, TooManyComments),
        said="Said about {key}.",
    ),
)

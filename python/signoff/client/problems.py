"""Problem documents, as the exceptions that the server raised."""

from __future__ import annotations

import orjson

from signoff import errors
from signoff.errors import SignoffError


def _tree(root: type[SignoffError]) -> dict[str, type[SignoffError]]:
    found = {root.code: root}
    for child in root.__subclasses__():
        found = {**_tree(child), **found}
    return found


_BY_CODE: dict[str, type[SignoffError]] = _tree(SignoffError)
_BY_STATUS: dict[int, type[SignoffError]] = {
    kind.status: kind
    for kind in (
        errors.BadRequest,
        errors.Unauthorized,
        errors.Forbidden,
        errors.NotFound,
        errors.Conflict409,
        errors.Gone,
        errors.StoreError,
    )
}


def from_problem(status: int, body: bytes) -> SignoffError:
    """Return the exception a problem document stands for.

    A code this version does not know gets the class of its status; a body that is no problem document of ours, such as
    the 404 of an application Signoff is mounted in, the question whether the address is right.
    """
    try:
        problem = orjson.loads(body)
    except orjson.JSONDecodeError:
        problem = None
    if not (isinstance(problem, dict) and "code" in problem):
        problem = {"detail": f"The server answered {status} without saying why; does its address lead to Signoff?"}
    kind = _BY_CODE.get(str(problem.get("code"))) or _BY_STATUS.get(status, SignoffError)
    own = {"type", "title", "status", "detail", "code"}
    error = kind(str(problem.get("detail") or ""))
    error.extra = {name: value for name, value in problem.items() if name not in own}
    return error

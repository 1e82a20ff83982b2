"""What does not fit in an answer: the action, the value by its schema, the files it refers to."""

from __future__ import annotations

from typing import Any, Final

import orjson

from signoff.workflow.input.choices import may_be_left_out, schema_for
from signoff.workflow.input.submission import BACK, AnswerRequest, FileFaults

MOST_BACK: Final = 64 << 10
"""Bytes that the value of `back` may have as JSON."""


def faults_of(row: dict[str, Any], request: AnswerRequest, files: FileFaults | None = None) -> list[dict[str, str]]:
    """Return what does not fit in an answer, as `[{"pointer", "message"}]`.

    Args:
        row: of the request.
        request: the submission.
        files: says what is wrong with the attachments of its value; None: it has none.
    """
    if request.action not in row["actions"]:
        return [{"pointer": "", "message": f"Choose one of: {', '.join(row['actions'])}."}]
    if request.value is None and may_be_left_out(row, request.action):
        return []
    if request.action == BACK:
        size = len(orjson.dumps(request.value))
        what = f"Going back takes {MOST_BACK} bytes of what was filled in at most, not {size}."
        return [{"pointer": "", "message": what}] if size > MOST_BACK else []
    schema = schema_for(row, request.action)
    if schema is None:
        what = f"“{row['choices'][request.action]['label']}” takes nothing to fill in: leave the value out."
        return [{"pointer": "", "message": what}]
    from signoff.workflow.input.complaints import complaints  # noqa: PLC0415 - its library is loaded by the first answer

    found = complaints(schema, request.value)
    return files(row, schema) if not found and files is not None else found

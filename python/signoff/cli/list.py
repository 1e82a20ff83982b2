"""`signoff list`: list runs."""

from __future__ import annotations

from signoff.cli import options, output
from signoff.cli.bulk import before
from signoff.cli.target import Target, aimed, on


@aimed
def list_runs(
    *,
    workflow: options.Workflow = None,
    status: options.Statuses = None,
    tag: options.Tags = None,
    started_by: options.StartedBy = None,
    older_than: options.OlderThan = None,
    limit: options.Limit = 50,
    cursor: options.Cursor = None,
    json: options.Json = False,
    target: Target,
) -> None:
    """List runs, newest first."""
    reply = on(
        target,
        lambda client: client.list(
            workflow=workflow,
            status=status or (),
            tag=tag or (),
            started_by=started_by,
            created_before=None if older_than is None else before(older_than),
            limit=limit,
            cursor=cursor,
        ),
    )
    if json:
        output.as_json(reply)
        return
    output.table(
        ("Run", "Workflow", "Status", "Created", "Updated", "Tags"),
        [
            (
                run["id"],
                run["workflow"],
                run["status"],
                output.when(run["created_at"]),
                output.when(run["updated_at"]),
                run["tags"],
            )
            for run in reply["runs"]
        ],
    )
    if reply["cursor"]:
        output.note(f"There are more: --cursor {reply['cursor']}")

"""The page on deadlines runs as it stands there: what it promises happens at the hours it names."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from signoff import App, Context
from signoff.clock import JumpingClock, ManualClock
from signoff.timestamps import rfc3339
from tests.docs.test_snippets import _namespace, blocks
from tests.runtime.scene import scene, working

PAGE = "docs/guide/deadlines.md"
HOUR = 3_600_000


async def test_nobody_answers_for_five_days() -> None:
    guide = _namespace(blocks(PAGE)[0])
    async with scene("memory:", JumpingClock(0)) as on, working(guide["app"], on):
        run = await on.start("expense", 12.5)
        done = await on.reaches(run, "completed")
        row = await on.engine.inputs.get(run, "approve:0")
    assert done["output"] == "rejected, because nobody answered"
    assert [(line["what"], line["at"]) for line in row["schedule"]] == [
        ("remind", rfc3339(24 * HOUR)),
        ("remind", rfc3339(48 * HOUR)),
        ("escalate", rfc3339(72 * HOUR)),
        ("remind", rfc3339(116 * HOUR)),
        ("default", rfc3339(120 * HOUR)),
    ]
    asked = "Please look at: Approve 12.5?"
    assert guide["mails"] == [("group:finance", asked)] * 2 + [("group:finance", "group:directors", asked)]


@pytest.mark.parametrize(
    ("asked_at", "hours", "due"),
    [
        (datetime(2026, 12, 22, 8, 0), 8, datetime(2026, 12, 22, 16, 0)),  # noqa: DTZ001 - UTC is set below
        (datetime(2026, 12, 22, 14, 0), 4, datetime(2026, 12, 23, 10, 0)),  # noqa: DTZ001
        (datetime(2026, 12, 24, 15, 0), 2, datetime(2026, 12, 29, 9, 0)),  # noqa: DTZ001 - holidays, a weekend
        (datetime(2026, 3, 27, 15, 0), 2, datetime(2026, 3, 30, 8, 0)),  # noqa: DTZ001 - summer time begins
        (datetime(2026, 12, 22, 3, 0), 1, datetime(2026, 12, 22, 9, 0)),  # noqa: DTZ001 - before it opens
        (datetime(2026, 12, 22, 8, 0), 16, datetime(2026, 12, 23, 16, 0)),  # noqa: DTZ001
    ],
)
def test_the_calendar_counts_working_hours(asked_at: datetime, hours: float, due: datetime) -> None:
    source = blocks(PAGE)[1]
    assert len([line for line in source.splitlines() if line and "import" not in line]) <= 15
    calendar = _namespace(source)["working"](hours)
    assert calendar(asked_at.replace(tzinfo=UTC)).astimezone(UTC) == due.replace(tzinfo=UTC)


async def test_the_calendar_runs_in_workflow_code() -> None:
    working_hours = _namespace(blocks(PAGE)[1])["working"]
    app = App()

    @app.workflow
    async def asks(ctx: Context) -> None:
        times = {"deadline": working_hours(16), "remind": [working_hours(8)]}
        await ctx.await_input("ok", bool, title="?", to=["user:a"], **times)

    tuesday = datetime(2026, 12, 22, 8, 0, tzinfo=UTC)
    async with scene("memory:", ManualClock(round(tuesday.timestamp() * 1000))) as on, working(app, on):
        row = await on.asks(await on.start("asks"), "ok:0")
    assert row["deadline"] == "2026-12-23T16:00:00.000Z"
    assert [line["at"] for line in row["schedule"]] == ["2026-12-22T16:00:00.000Z", row["deadline"]]

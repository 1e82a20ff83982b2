"""`signoff doctor`: say what is wrong, and what to do."""

from __future__ import annotations

import time
from typing import Any

from signoff.cli import options, output
from signoff.cli.target import Target, aimed, connect, run_here
from signoff.errors import ServerUnreachable, StoreError
from signoff.service.diagnosis import HealthFinding, judge_clocks, judge_store

_SIGNS = {"ok": "ok", "note": "note", "wrong": "WRONG"}


@aimed
def doctor(
    *,
    json: options.Json = False,
    target: Target,
) -> int:
    """Say what is wrong with a server, its store, workers and runs, and what to do; exit with 1 if something is."""
    findings = run_here(_findings(target))
    if json:
        output.as_json({"findings": findings})
    else:
        for one in findings:
            output.line(f"{_SIGNS.get(one['level'], one['level']):>5}  {one['says']}")
            if one["todo"] is not None:
                output.line(f"       -> {one['todo']}")
    return int(any(one["level"] == "wrong" for one in findings))


async def _findings(target: Target) -> list[dict[str, Any]]:
    began = time.time_ns() // 1_000_000
    try:
        async with connect(target) as client:
            reply = await client.doctor()
    except ServerUnreachable as error:
        return [HealthFinding("server", "wrong", error.detail, "Start it, or look at its log.").to_json()]
    except StoreError as error:
        return [judge_store(error).to_json()]
    findings: list[dict[str, Any]] = reply["findings"]
    if target.store is None:
        took = time.time_ns() // 1_000_000 - began
        difference = output.milliseconds(reply["at"]) - began - took // 2
        findings = [judge_clocks(difference, took // 2 + 1).to_json(), *findings]
    return findings

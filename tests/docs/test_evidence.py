"""The page on evidence: what it shows exports, and finds what is altered."""

from __future__ import annotations

from typing import Any

import pytest

from signoff.service import ed25519
from signoff.workflow import bundle
from signoff.workflow.bundle import AlteredBundle
from tests.docs.test_snippets import _namespace, blocks
from tests.protocol.material import cases
from tests.server.hosting import KEYED, bearer, hosting

EXPORT, CHECK = map(_namespace, blocks("docs/guide/evidence.md"))


async def test_a_run_is_exported_altered_and_verified() -> None:
    async with hosting("memory:", KEYED) as host:
        row = await host.ask()
        answer = {"submission_id": "s1", "action": "submit", "value": {"approved": True}, "seen_offset": row["revised"]}
        path = "/v1/runs/r1/inputs/approve:0/answer"
        assert (await host.post(path, answer, **bearer("eve"))).status_code == 403
        assert (await host.post(path, answer, **bearer("alice", groups=("finance",)))).status_code == 200
        token = bearer("ann", "run:audit:r1")["authorization"].removeprefix("Bearer ")
        data = await EXPORT["export"](host.url, "r1", token)
    proven = bundle.verify(data, ed25519.is_good)
    assert (proven.decisions, proven.denials) == (1, 1)
    assert CHECK["first_altered"](data) is None
    altered = data.replace(b'"user:eve"', b'"user:bob"', 1)
    assert CHECK["first_altered"](altered) == 2
    with pytest.raises(AlteredBundle, match="Entry 2 is altered"):
        bundle.verify(altered, ed25519.is_good)


@pytest.mark.parametrize("case", cases("evidence.json"))
def test_the_verifier_of_the_page_names_the_entry_that_the_vectors_name(case: dict[str, Any]) -> None:
    assert CHECK["first_altered"]("\n".join(case["lines"]).encode()) == case["entry"]

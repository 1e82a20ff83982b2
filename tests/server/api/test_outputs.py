"""The outputs of a run, by name, for those who may read it."""

from __future__ import annotations

from tests.server.hosting import KEYED, bearer, hosting, problem


async def test_the_outputs_of_a_run_are_listed_for_its_readers(store_url: str) -> None:
    reader, stranger = bearer("ann", "run:read:r1"), bearer("bob", "run:read:r2")
    async with hosting(store_url, KEYED) as host:
        await host.engine.runs.start("agent", run_id="r1")
        assert (await host.http.get("/v1/runs/r1/outputs", headers=reader)).json() == {"run_id": "r1", "outputs": []}
        await host.engine.outputs.create("r1", "log", "text")
        await host.engine.outputs.create("r1", "chat")
        listed = (await host.http.get("/v1/runs/r1/outputs", headers=reader)).json()["outputs"]
        assert listed == [
            {"name": "chat", "content_type": "application/json", "closed": False},
            {"name": "log", "content_type": "text/plain; charset=utf-8", "closed": False},
        ]
        await host.engine.outputs.close_all("r1")
        listed = (await host.http.get("/v1/runs/r1/outputs", headers=reader)).json()["outputs"]
        assert [one["closed"] for one in listed] == [True, True]
        problem(await host.http.get("/v1/runs/r1/outputs", headers=stranger), 403, "forbidden")
        problem(await host.http.get("/v1/runs/r9/outputs", headers=bearer("boss", "operator")), 404, "run_not_found")

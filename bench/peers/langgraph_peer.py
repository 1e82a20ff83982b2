"""LangGraph with its PostgreSQL saver: a loop of one node, a checkpoint each time. Usage: langgraph_peer.py URL ..."""

import asyncio
import json
import statistics
import sys
import time
from typing import TypedDict

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

URL = sys.argv[1]
STEPS, RUNS, EACH, ANSWERS = (int(value) for value in sys.argv[2:6])


class State(TypedDict):
    n: int
    steps: int


async def work(state: State) -> dict:
    return {"n": state["n"] + 1}


async def ask(_: State) -> dict:
    return {"n": int(interrupt("go on?"))}


async def main() -> None:
    async with AsyncConnectionPool(
        URL, min_size=4, max_size=20, kwargs={"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    ) as pool:
        saver = AsyncPostgresSaver(pool)
        await saver.setup()
        loop = StateGraph(State)
        loop.add_node("work", work)
        loop.add_edge(START, "work")
        loop.add_conditional_edges("work", lambda state: "work" if state["n"] < state["steps"] else END)
        sequence = loop.compile(checkpointer=saver)
        asking = StateGraph(State)
        asking.add_node("ask", ask)
        asking.add_edge(START, "ask")
        asking.add_edge("ask", END)
        approval = asking.compile(checkpointer=saver)

        def thread(name: str) -> dict:
            return {"configurable": {"thread_id": name}, "recursion_limit": 1_000_000}

        async def run(name: str, steps: int) -> None:
            # "sync": a checkpoint is durable before the next node begins, as the others' steps are.
            await sequence.ainvoke({"n": 0, "steps": steps}, thread(name), durability="sync")

        await run("warm", 20)
        begin = time.perf_counter()
        await run("one", STEPS)
        sequential = STEPS / (time.perf_counter() - begin)
        begin = time.perf_counter()
        await asyncio.gather(*(run(f"many-{n}", EACH) for n in range(RUNS)))
        concurrent = RUNS * EACH / (time.perf_counter() - begin)
        took = []
        for n in range(ANSWERS):
            await approval.ainvoke({"n": 0, "steps": 1}, thread(f"ask-{n}"), durability="sync")
            begin = time.perf_counter()
            await approval.ainvoke(Command(resume=1), thread(f"ask-{n}"), durability="sync")
            took.append((time.perf_counter() - begin) * 1000)
    print(json.dumps({"sequential": sequential, "concurrent": concurrent, "answer_ms": statistics.median(took)}))


asyncio.run(main())

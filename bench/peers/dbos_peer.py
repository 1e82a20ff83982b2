"""DBOS: the same three measurements as the others beside this file. Usage: python dbos_peer.py DATABASE_URL."""

import asyncio
import json
import statistics
import sys
import time

from dbos import DBOS, DBOSConfig

STEPS, RUNS, EACH, ANSWERS = (int(value) for value in sys.argv[2:6])
config: DBOSConfig = {
    "name": "bench",
    "system_database_url": sys.argv[1],
    "sys_db_pool_size": 50,
    "log_level": "ERROR",
}
DBOS(config=config)


@DBOS.step()
async def work(n: int) -> int:
    return n


@DBOS.workflow()
async def sequence(steps: int) -> int:
    total = 0
    for n in range(steps):
        total += await work(n)
    return total


@DBOS.workflow()
async def approval() -> object:
    return await DBOS.recv_async("answer", timeout_seconds=60)


async def main() -> None:
    DBOS.launch()
    await (await DBOS.start_workflow_async(sequence, 20)).get_result()
    begin = time.perf_counter()
    await (await DBOS.start_workflow_async(sequence, STEPS)).get_result()
    sequential = STEPS / (time.perf_counter() - begin)

    begin = time.perf_counter()
    handles = [await DBOS.start_workflow_async(sequence, EACH) for _ in range(RUNS)]
    await asyncio.gather(*(handle.get_result() for handle in handles))
    concurrent = RUNS * EACH / (time.perf_counter() - begin)

    took = []
    for _ in range(ANSWERS):
        handle = await DBOS.start_workflow_async(approval)
        await asyncio.sleep(0.05)
        begin = time.perf_counter()
        await DBOS.send_async(handle.get_workflow_id(), True, "answer")
        await handle.get_result(polling_interval_sec=0.001)
        took.append((time.perf_counter() - begin) * 1000)
    print(json.dumps({"sequential": sequential, "concurrent": concurrent, "answer_ms": statistics.median(took)}))
    DBOS.destroy()


asyncio.run(main())

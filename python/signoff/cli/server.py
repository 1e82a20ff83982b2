"""`signoff server`: streams and API alone, without workflow code."""

from __future__ import annotations

from signoff.cli import options
from signoff.cli.running import HttpPart, announce, listen, run_to_end, until_stopped
from signoff.cli.serving import server_config, store_url
from signoff.service.engine import Engine
from signoff.stores.open import open_store


def server(
    *,
    store: options.Store = None,
    host: options.Host = "127.0.0.1",
    port: options.Port = 4437,
    page: options.Page = None,
    allow_origin: options.Origins = None,
    access_log: options.AccessLog = False,
) -> None:
    """Serve streams and the API; workers run elsewhere."""
    url = store_url(store)
    config = server_config(page, allow_origin)

    async def main() -> None:
        listening = listen(host, port, config.secret)
        engine = await Engine.open(open_store(url))
        try:
            await until_stopped(
                HttpPart(engine, config, listening, access_log=access_log, ready=lambda: announce(listening))
            )
        finally:
            await engine.close()

    run_to_end(main())

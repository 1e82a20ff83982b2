"""`signoff server`: streams and API alone, without workflow code."""

from __future__ import annotations

from signoff.cli import options
from signoff.cli.running import HttpPart, announce, listen, run_to_end, until_stopped
from signoff.cli.serving import Serving, serves, store_url
from signoff.service.engine import Engine
from signoff.stores.open import open_store


@serves
def server(*, store: options.Store = None, serving: Serving) -> None:
    """Serve streams and the API; workers run elsewhere."""
    url, config = store_url(store), serving.config()

    async def main() -> None:
        listening = listen(serving.host, serving.port, config.secret)
        engine = await Engine.open(open_store(url), retention_ms=serving.retention)
        try:
            await until_stopped(
                HttpPart(engine, config, listening, access_log=serving.access_log, ready=lambda: announce(listening))
            )
        finally:
            await engine.close()

    run_to_end(main())

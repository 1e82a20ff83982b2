"""`signoff server`: streams and API alone, without workflow code."""

from __future__ import annotations

from dataclasses import replace

from signoff.cli import options
from signoff.cli.running import HttpPart, announce, listen, run_to_end, until_stopped
from signoff.cli.serving import server_config, store_url
from signoff.server.config import ServerConfig
from signoff.server.limits import HttpLimits
from signoff.service.engine import Engine
from signoff.stores.open import open_store

_UNLESS_GIVEN = ServerConfig()


def server(
    *,
    store: options.Store = None,
    host: options.Host = "127.0.0.1",
    port: options.Port = 4437,
    page: options.Page = None,
    allow_origin: options.Origins = None,
    public_url: options.PublicUrl = None,
    webhook_targets: options.WebhookTargets = None,
    access_log: options.AccessLog = False,
    max_append: options.MaxAppend = _UNLESS_GIVEN.max_append,
    max_readers: options.MaxReaders = _UNLESS_GIVEN.max_readers,
    max_connections: options.MaxConnections = _UNLESS_GIVEN.http.connections,
    max_headers: options.MaxHeaders = _UNLESS_GIVEN.http.header_bytes,
    body_timeout: options.BodyTimeout = _UNLESS_GIVEN.http.body_s,
    keep_alive: options.KeepAlive = _UNLESS_GIVEN.http.keep_alive_s,
) -> None:
    """Serve streams and the API; workers run elsewhere."""
    url = store_url(store)
    http = HttpLimits(max_connections, max_headers, body_s=body_timeout, keep_alive_s=keep_alive)
    told = server_config(page, allow_origin, public_url, webhook_targets)
    config = replace(told, max_append=max_append, max_readers=max_readers, http=http)

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

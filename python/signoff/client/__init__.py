"""Python's client of a server: every call of the workflow API, and streams, over HTTP.

`client` has the calls, `http_calls` sends them, `problems` turns refusals into exceptions, `streams` reads on and on.
Never here: a rule (the server has them all), a store, an engine.
"""

from signoff.client.addresses import stream_address
from signoff.client.client import SignoffClient
from signoff.client.http_calls import DEFAULT_URL
from signoff.client.problems import from_problem
from signoff.client.streams import StreamBatch

__all__ = ["DEFAULT_URL", "SignoffClient", "StreamBatch", "from_problem", "stream_address"]

"""Run workflow code: claim runs, feed the machine, execute steps, fire timers, append what comes out.

The engine is met at one port (`port.py`); `local.py` is that port in the engine's own process, and the only module here
that imports services. Never here: HTTP, a backend, a Change or a row.
"""

"""Timers: `ctx.sleep`, and asyncio's own timeouts.

Never here: a clock; when a timer is due is found by whoever keeps the run.
"""

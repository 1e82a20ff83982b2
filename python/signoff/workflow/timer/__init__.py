"""Timers: `ctx.sleep`, and asyncio's own timeouts."""

"""The Durable Streams rule book, pure: values in, decisions out.

Here live offsets, stream heads, commands, decisions, producers, JSON mode, SSE frames and State Protocol messages.
Never here: asyncio, clocks, randomness, sockets, stores.
"""

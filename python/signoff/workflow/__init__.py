"""The replay core, pure: journal entries in, commands out.

Here live the journal's vocabulary and codec, the deterministic event loop, the machine that runs workflow code on it,
the life of a request for input and the projection of entries to public rows. Never here: real I/O, clocks, stores.
"""

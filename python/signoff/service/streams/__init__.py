"""Streams over a store: written, read, followed live, compacted, and deleted when their life is over.

Here live the loop of load, decide and commit for streams, what live readers share, and the tasks in the background.
Never here: what a write may do (that is `signoff.streams`), HTTP, a backend.
"""

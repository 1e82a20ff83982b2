"""Load → decide → commit, over any store: streams, runs, inputs, events, group commit, live readers.

The rules come from `streams` and `workflow`; the bytes go to a store. Never here: HTTP, a backend, workflow code.
"""

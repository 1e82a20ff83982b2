"""Load → decide → commit, over any store: streams, runs, inputs, events, group commit, live readers.

`act` is the one loop for what outsiders do to runs, `run_change` the one way a run is written, `commit` puts Changes
that wait into one transaction, `kinds` says what there is and what it is found by, `engine` opens all of it.
The rules come from `streams` and `workflow`; the bytes go to a store. Never here: HTTP, a backend, workflow code.
"""

"""Answers that are judged before they are taken, by the workflow's own code, on a worker.

`entries.py` has what the journal says of it, `state.py` and `fold.py` how that looks, `ask.py` what the code says of
how to judge, `verdict.py` what a validator is given and may say, `decide.py` what the sender is told. Never here: a
validator is never called.
"""

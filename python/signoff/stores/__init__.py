"""Where bytes stay: a store loads, compares, writes atomically and signals. It knows no rule.

`base` has the port and `change` what is written through it; `compare` and `check` are the rules all backends share, and
`open` turns a URL into one. Each backend lives in a folder of its own. Never here: a kind of record, a rule of runs.
"""

"""Where bytes stay: a store loads, compares, writes atomically and signals.

`base` has the port and `change` what is written by it, `open` turns a URL into a backend; each backend is a folder.
Never here: a rule of streams or runs, and what a kind of subject means.
"""

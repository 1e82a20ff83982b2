"""Where bytes stay: a store loads, compares, writes atomically and signals. It knows no rule.

`base` has the contracts, `open` turns a URL into a backend; each backend lives in a module or folder of its own.
"""

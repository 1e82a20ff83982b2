"""The replay core, pure: journal entries in, commands out.

Each noun of the journal (`run/`, `step/`, `timer/`, `event/`, `input/`, `row/`, `patch/`) is a folder: its entries, how
they look from outside, how code asks for it, and what outsiders may do to it; `nouns.py` registers them. Beside them is
what they share: the codec of journals and of values, the projection, the deterministic event loop, and the machine that
runs workflow code on it. Never here: real I/O, clocks, stores.
"""

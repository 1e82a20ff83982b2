"""Rows of the application's own, for browsers.

Never here: the rows of runs, steps and requests, which are folded beside those.
"""

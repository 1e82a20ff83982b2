"""Run workflow code: claim runs, feed the machine, execute steps, fire timers, commit.

Never here: HTTP or a backend.
"""

"""Events: what others send to a run, and the code that waits for it.

Never here: whom an event reaches among all runs (`service/events.py`).
"""

"""Events: what others send to a run, and the code that waits for it."""

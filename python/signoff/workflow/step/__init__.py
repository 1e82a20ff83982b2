"""Steps: what the code asks the world to do.

Never here: the running of a step, which is the runtime's.
"""

"""Patches: code that is changed under runs that go on.

Never here: what the code is like; a fingerprint of it is the runtime's.
"""

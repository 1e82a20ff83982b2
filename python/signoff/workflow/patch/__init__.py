"""Patches: code that is changed under runs that go on."""

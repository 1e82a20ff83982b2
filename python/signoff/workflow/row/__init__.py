"""Rows of the application's own, for browsers."""

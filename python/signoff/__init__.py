"""Durable workflows in Python whose other half is the browser."""

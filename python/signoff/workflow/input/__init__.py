"""Requests for input: what people are asked, and their answers."""

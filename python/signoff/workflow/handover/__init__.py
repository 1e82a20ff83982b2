"""Handing a request on: a person delegates their part, an operator asks others or changes what is asked.

Never here: what the workflow's own code changes about a request (`input/`).
"""

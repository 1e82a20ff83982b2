"""Votes: a request that several people decide together, and what each of them says.

Never here: whether an answer is valid; a vote is judged as any answer is (`input/`).
"""

"""Claims: who works on a request, and until when; nobody else answers it meanwhile.

Never here: how answers are decided (`input/`), and how often a lease is looked at.
"""

"""Requests for input: what people are asked, and their answers.

Never here: where a request is kept, and how an answer arrives.
"""

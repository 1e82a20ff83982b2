"""Denials: what people tried to do to a request and were refused, as far as that matters to whoever asks later.

Never here: what is refused, and with what words, which the rules of each act say.
"""

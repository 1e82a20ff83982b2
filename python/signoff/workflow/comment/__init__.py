"""Comments: what people say about a request for input while it is pending.

Never here: who is asked, which is `input`'s.
"""

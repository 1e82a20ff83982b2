"""Wizards: pages that follow one another, and the way back.

Never here: how a page is asked, shown or answered, which is `input`'s; how a journal is cut, which is `run`'s.
"""

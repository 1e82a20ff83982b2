"""Requests as plain HTML that needs no JavaScript: functions of a row, and of what was filled in.

`words.py` escapes, `markdown.py` formats, `fields.py` draws, `reading.py` reads back, `page.py` puts together.
Never here: HTTP, stores, rules of answering.
"""

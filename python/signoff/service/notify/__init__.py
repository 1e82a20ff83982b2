"""Who is told of requests for input, and the telling: at least once, in order for each request.

Here live the targets as the store keeps them, and the task that sends. Never here: HTTP, mail, what an event says
(`workflow/notice.py`).
"""

"""Ways to tell of requests that leave the process.

Here live webhooks signed by the Standard Webhooks scheme. Never here: who is told, when, and how often
(`service/notify/`).
"""

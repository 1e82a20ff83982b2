"""The rule book of subscriptions (Durable Streams §6, §7), pure: a subscription and a moment in, a subscription out.

Here live their state machine, their configuration, globs, tokens, and which addresses webhooks may be sent to.
Never here: what `signoff.streams` is kept free of too, and requests to anybody.
"""

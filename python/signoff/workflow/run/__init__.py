"""The run itself: its start, its ends, and what operators do to it.

Never here: what a run asks for (steps, timers, events, input), which are nouns of their own.
"""

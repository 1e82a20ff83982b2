"""The run itself: its start, its ends, and what operators do to it."""

"""Streams over a store: written, read, followed live, compacted, and deleted when their life is over."""

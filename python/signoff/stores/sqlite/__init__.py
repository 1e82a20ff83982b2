"""The embedded store: one SQLite file in WAL mode, synchronous=FULL, one writer thread."""

"""The protocol's schemas and vectors, held against the running code."""

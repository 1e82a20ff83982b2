"""The rules of the reserved subscription API (§6): who follows which streams, and when they are woken. Pure."""

"""Subscriptions over a store: their records, who follows which stream, and the wake-ups sent."""

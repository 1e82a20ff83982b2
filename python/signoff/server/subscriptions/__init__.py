"""The HTTP endpoints of subscriptions, and webhooks sent to others."""

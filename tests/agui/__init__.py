"""AG-UI's own client, unmodified, starts runs and answers them."""

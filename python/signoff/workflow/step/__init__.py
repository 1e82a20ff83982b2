"""Steps: what the code asks the world to do."""

"""The AI SDK, in both supported majors, reads what runs write, unmodified."""

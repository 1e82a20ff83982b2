-- Streams that were deleted: their name is free at once, and what they held goes in pieces.
CREATE TABLE doomed (
  stream INTEGER PRIMARY KEY,
  last_batch INTEGER
) STRICT;

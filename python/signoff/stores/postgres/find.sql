-- Looking for Changes after a commit whose outcome is not known.

-- name: subject
SELECT version, mark, own FROM signoff.subjects WHERE kind = $1 AND name = $2

-- name: stream
SELECT id, own, tail, closed, version, incarnation, base, rows_at, mark FROM signoff.heads WHERE path = $1

-- name: batches_from
-- Marks of the batches of a stream from a position on, so many at most.
SELECT mark FROM signoff.batches WHERE stream = $1 AND start >= $2 ORDER BY start LIMIT $3

-- name: last_batches
-- Marks of the last batches of a stream, so many at most.
SELECT mark FROM signoff.batches WHERE stream = $1 ORDER BY start DESC LIMIT $2

-- name: deletion
SELECT 1 FROM signoff.deletions WHERE mark = $1

-- name: deletions_of
-- Tell whether something of this name was deleted lately, and how many deletions there have been at most. Numbers have
-- gaps, so to count what is left would be a guess.
SELECT coalesce(bool_or(name = $1), false), coalesce(max(id), 0) FROM signoff.deletions

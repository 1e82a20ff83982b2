-- Looking for Changes after a commit whose outcome is not known.

-- name: subject
SELECT version, mark, streams FROM subjects WHERE kind = ? AND name = ?

-- name: stream
SELECT heads.id, own, tail, heads.closed, last_batch, heads.version, heads.incarnation, heads.base, heads.rows_at, mark
FROM heads JOIN streams ON streams.id = heads.id WHERE heads.path = ?

-- name: last_batches
-- The last batches of a stream, from a position on, with the marks of their Changes; the newest first.
WITH RECURSIVE chain (start, previous, mark) AS (
  SELECT start, previous, mark FROM batches WHERE id = :batch AND stream = :stream
  UNION ALL
  SELECT batches.start, batches.previous, batches.mark
  FROM chain JOIN batches ON batches.id = chain.previous AND batches.stream = :stream
  WHERE chain.start > :from
  LIMIT :most
)
SELECT start, mark FROM chain

-- name: deletion
SELECT 1 FROM deletions WHERE mark = ?

-- name: deletions_of
-- Tell whether something of this name was deleted lately, and how many deletions are remembered.
SELECT total(name = ?), count(*) FROM deletions

-- What is left of deleted streams, dropped in pieces.

-- name: next_doomed
SELECT stream, last_batch FROM doomed WHERE stream = (SELECT min(stream) FROM doomed)

-- name: drop_batches
-- The last batches of a chain: so many, or up to the one that brings their total to so many bytes.
WITH RECURSIVE chain (id, size, previous) AS (
  SELECT id, length(data), previous FROM batches WHERE id = :batch AND stream = :stream
  UNION ALL
  SELECT batches.id, chain.size + length(batches.data), batches.previous
  FROM chain JOIN batches ON batches.id = chain.previous AND batches.stream = :stream
  WHERE chain.size < :bytes
  LIMIT :rows
)
DELETE FROM batches WHERE id IN (SELECT id FROM chain) RETURNING id, previous, length(data)

-- name: move_doomed
UPDATE doomed SET last_batch = ? WHERE stream = ?

-- name: drop_waypoints
-- The first of them. Every number and every text is less than a blob, so without an end all of them go.
DELETE FROM waypoints WHERE stream = :stream AND start < coalesce(
  (SELECT start FROM waypoints WHERE stream = :stream ORDER BY start LIMIT 1 OFFSET :rows), x'')

-- name: drop_live_rows
DELETE FROM live_rows WHERE stream = :stream AND position < coalesce(
  (SELECT position FROM live_rows WHERE stream = :stream ORDER BY position LIMIT 1 OFFSET :rows), x'')

-- name: drop_producers
DELETE FROM producers WHERE stream = :stream AND producer_id < coalesce(
  (SELECT producer_id FROM producers WHERE stream = :stream ORDER BY producer_id LIMIT 1 OFFSET :rows), x'')

-- name: forget
DELETE FROM doomed WHERE stream = ?

-- What readers ask.

-- name: head
SELECT id, own, tail, closed, last_batch, path, incarnation, version, content_type, engine, created_at, base, last_seq,
       ttl_s, expires_at, touched_at, refs, deleted, fork_path, fork_incarnation, fork_at, fork_depth,
       compacted, rows_at, closed_by_producer, closed_by_epoch, closed_by_seq
FROM heads WHERE path = ?

-- name: head_and_last
-- The same, with the last batch if that is all there is from a position on: what most who read have to catch up with.
-- One statement sees one moment, and needs no transaction. Of streams of a subject's own it looks at the first two.
SELECT heads.id, own, tail, closed, last_batch, path, incarnation, version, content_type, engine, created_at, base,
       last_seq, ttl_s, expires_at, touched_at, refs, deleted, fork_path, fork_incarnation, fork_at, fork_depth,
       compacted, rows_at, closed_by_producer, closed_by_epoch, closed_by_seq,
       batches.start, batches.stop, batches.data
FROM heads LEFT JOIN batches ON batches.id = CASE
    WHEN own IS NULL THEN last_batch
    WHEN json_extract(own, '$[0][0]') = heads.id THEN json_extract(own, '$[0][4]')
    ELSE json_extract(own, '$[1][4]')
  END AND batches.stream = heads.id AND batches.start <= ? AND batches.stop > ?
WHERE path = ?

-- name: producer
SELECT producer_id, epoch, seq FROM producers WHERE stream = ? AND producer_id = ?

-- name: waypoints
-- Where to enter a stream's chain to get what follows a position.
SELECT batch FROM waypoints WHERE stream = ? AND start >= ? ORDER BY start

-- name: chain
-- A batch and those before it, the newest first, down to the one that holds position `from`, or the first that is kept.
WITH RECURSIVE chain (start, stop, previous, data) AS (
  SELECT start, stop, previous, data FROM batches WHERE id = :batch AND stream = :stream
  UNION ALL
  SELECT batches.start, batches.stop, batches.previous, batches.data
  FROM chain JOIN batches ON batches.id = chain.previous AND batches.stream = :stream
  WHERE chain.start > :from
)
SELECT start, stop, data FROM chain

-- name: live_rows
-- The order of the table is that of the rows.
SELECT message FROM live_rows WHERE stream = ? ORDER BY position

-- name: rows_bytes
SELECT coalesce(sum(length(message)), 0) FROM live_rows WHERE stream = (SELECT id FROM streams WHERE path = ?)

-- name: find_streams (rows)
SELECT path, incarnation, id, own, tail, closed, last_batch FROM heads WHERE path IN (?) AND deleted = 0

-- name: list_streams
-- Streams of one prefix; `end` sorts after everything that begins with it.
SELECT path, incarnation, id, own, tail, closed, last_batch FROM heads
WHERE path > :after AND path >= :prefix AND path < :end AND deleted = 0 ORDER BY path LIMIT :limit

-- name: ended_streams
SELECT path FROM streams WHERE ends_at <= ? ORDER BY ends_at, path LIMIT ?

-- name: watched (rows)
-- What the watcher compares: a stream that was deleted and made anew is news too.
SELECT path, incarnation, id, own, tail, closed, last_batch FROM heads WHERE path IN (?)

-- name: subject
SELECT kind, name, version, state, terms, sort, queue, ready, wake_at, quiet, updated_at, streams, epoch, lease_owner,
       lease_until, lost, id
FROM subjects WHERE kind = ? AND name = ?

-- name: and_parts
-- Parts of a subject of one kind, as further rows of `subject`: one statement sees one moment, and costs one call.
SELECT kind, name, state, open, terms, sort, id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM parts WHERE subject = (SELECT id FROM subjects WHERE kind = ? AND name = ?) AND kind = ?

-- name: and_open_parts
-- The same, those that are open.
SELECT kind, name, state, open, terms, sort, id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM parts WHERE subject = (SELECT id FROM subjects WHERE kind = ? AND name = ?) AND kind = ? AND open

-- name: and_part
-- The same, one of them.
SELECT kind, name, state, open, terms, sort, id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM parts WHERE subject = (SELECT id FROM subjects WHERE kind = ? AND name = ?) AND kind = ? AND name = ?

-- name: and_open_part
-- The same, one of them if it is open.
SELECT kind, name, state, open, terms, sort, id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM parts WHERE subject = (SELECT id FROM subjects WHERE kind = ? AND name = ?) AND kind = ? AND name = ? AND open

-- name: subject_places
-- Places of the subjects of a kind; the conditions are appended.
SELECT item.sort, item.id FROM subjects AS item

-- name: subject_places_by_term
-- The same, led by a term.
SELECT item.sort, item.id FROM (SELECT kind, term, sort, subject AS id FROM subject_terms) AS item

-- name: subject_places_having
-- The condition that it has another term.
EXISTS (
  SELECT 1 FROM subject_terms AS other
  WHERE other.kind = item.kind AND other.term = ? AND other.sort = item.sort AND other.subject = item.id
)

-- name: part_places
SELECT item.sort, item.id FROM parts AS item

-- name: part_places_by_term
SELECT item.sort, item.id FROM (SELECT kind, term, sort, part AS id FROM part_terms) AS item

-- name: part_places_having
EXISTS (
  SELECT 1 FROM part_terms AS other
  WHERE other.kind = item.kind AND other.term = ? AND other.sort = item.sort AND other.part = item.id
)

-- name: subjects_by_id (rows)
SELECT kind, name, version, state, terms, sort, queue, ready, wake_at, quiet, updated_at, streams, epoch, lease_owner,
       lease_until, lost, id
FROM subjects WHERE id IN (?)

-- name: parts_by_id (rows)
SELECT parts.kind, parts.name, parts.state, parts.open, parts.terms, parts.sort, subjects.kind, subjects.name, parts.id
FROM parts JOIN subjects ON subjects.id = parts.subject WHERE parts.id IN (?)

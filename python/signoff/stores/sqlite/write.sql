-- What the writer thread says. Statements marked "rows" are written with as many groups of values as there are rows;
-- updates are not: UPDATE FROM (VALUES …) costs more than one statement a row until there are 64 of them (measured).

-- name: known_streams (rows)
-- Load what is compared of the streams a transaction touches.
SELECT id, path, subject_kind, subject_name, version, tail, closed, incarnation, rows_at, refs, last_batch, distance,
       engine
FROM heads WHERE path IN (?)

-- name: known_subjects (rows)
-- Load what is compared of the subjects a transaction touches, and what its indexes hold.
WITH asked (kind, name) AS (VALUES (?, ?))
SELECT subjects.kind, subjects.name, id, version, epoch, lease_owner, lease_until, sort, terms, queue, due_at, due_since,
       lost, streams
FROM asked CROSS JOIN subjects ON subjects.kind = asked.kind AND subjects.name = asked.name

-- name: known_parts (rows)
-- Load what is known of the parts a transaction writes.
WITH asked (subject, kind, name) AS (VALUES (?, ?, ?))
SELECT parts.subject, parts.kind, parts.name, id, sort, terms
FROM asked CROSS JOIN parts
ON parts.subject = asked.subject AND parts.kind = asked.kind AND parts.name = asked.name

-- name: last_numbers
-- The highest row numbers in use; the writer counts on from there. A deleted stream keeps its number until all it held
-- is gone.
SELECT max(coalesce((SELECT max(id) FROM streams), 0), coalesce((SELECT max(stream) FROM doomed), 0)),
       (SELECT max(id) FROM subjects), (SELECT max(id) FROM parts), (SELECT max(id) FROM batches)

-- name: put_head (rows)
-- Create a stream, or replace what appends leave as it is of its head.
INSERT INTO streams (id, path, incarnation, base, content_type, closed, engine, created_at, ttl_s, expires_at,
                     closed_by_producer, closed_by_epoch, closed_by_seq,
                     fork_path, fork_incarnation, fork_at, fork_depth, refs, deleted, compacted, ends_at,
                     subject, version, mark)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
  incarnation = excluded.incarnation, base = excluded.base, content_type = excluded.content_type,
  closed = excluded.closed, engine = excluded.engine, created_at = excluded.created_at, ttl_s = excluded.ttl_s,
  expires_at = excluded.expires_at, closed_by_producer = excluded.closed_by_producer,
  closed_by_epoch = excluded.closed_by_epoch, closed_by_seq = excluded.closed_by_seq,
  fork_path = excluded.fork_path, fork_incarnation = excluded.fork_incarnation, fork_at = excluded.fork_at,
  fork_depth = excluded.fork_depth, refs = excluded.refs, deleted = excluded.deleted, ends_at = excluded.ends_at,
  mark = excluded.mark

-- name: put_tail (rows)
-- Write what appends move of streams that are new, replaced, or just appended or posted to. One statement for all, though it
-- costs SQLite as much as one for each: between two statements the thread lets go of the interpreter, and has to wait
-- for it again.
REPLACE INTO tails (stream, version, tail, last_seq, touched_at, last_batch, distance) VALUES (?, ?, ?, ?, ?, ?, ?)

-- name: move_end (rows)
-- Move the ends of streams with a time to live that were just appended to. One statement for all, for the same reason.
WITH moved (id, ends_at) AS (VALUES (?, ?))
UPDATE streams SET ends_at = moved.ends_at FROM moved WHERE streams.id = moved.id

-- name: move_refs
-- Write what forks move of a stream of the engine, beside its appends. A version in `tails` is moved apart.
UPDATE streams SET refs = ?, mark = ?, version = iif(subject IS NULL, NULL, ?) WHERE id = ?

-- name: move_version
UPDATE tails SET version = ? WHERE stream = ?

-- name: move_own_version
UPDATE streams SET version = ? WHERE id = ?

-- name: move_last_batch
UPDATE tails SET last_batch = ? WHERE stream = ?

-- name: disown
-- Keep a stream, whose subject goes, for its forks. What appends moved of it is in `tails` from now on.
UPDATE streams SET subject = NULL, version = NULL, deleted = 1, closed = ? WHERE id = ?

-- name: put_batch (rows)
INSERT INTO batches (id, stream, start, stop, previous, data, mark) VALUES (?, ?, ?, ?, ?, ?, ?)

-- name: put_waypoint (rows)
INSERT INTO waypoints (stream, start, batch) VALUES (?, ?, ?)

-- name: put_producer
INSERT INTO producers (stream, producer_id, epoch, seq) VALUES (?, ?, ?, ?)
ON CONFLICT (stream, producer_id) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq

-- name: put_row
-- A row that is there already keeps its place.
INSERT INTO live_rows (stream, position, type, key, message) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (stream, type, key) DO UPDATE SET message = excluded.message

-- name: drop_row
DELETE FROM live_rows WHERE stream = ? AND type = ? AND key = ?

-- name: delete_rows
DELETE FROM live_rows WHERE stream = ?

-- name: move_rows
UPDATE streams SET rows_at = ? WHERE id = ?

-- name: move_base
UPDATE streams SET base = ? WHERE id = ?

-- name: drop_history
-- Delete batches that end at a position or before it: those that lead there from the next waypoint.
WITH RECURSIVE chain (id, stop, previous) AS (
  SELECT id, stop, previous FROM batches WHERE stream = :stream AND id = coalesce(
    (SELECT batch FROM waypoints WHERE stream = :stream AND start >= :base ORDER BY start LIMIT 1),
    cast(:last AS INTEGER)
  )
  UNION ALL
  SELECT batches.id, batches.stop, batches.previous
  FROM chain JOIN batches ON batches.id = chain.previous AND batches.stream = :stream
)
DELETE FROM batches WHERE id IN (SELECT id FROM chain WHERE stop <= :base)

-- name: drop_waypoints
-- Delete those whose batch is gone.
DELETE FROM waypoints
WHERE stream = ? AND start < ? AND NOT EXISTS (SELECT 1 FROM batches WHERE batches.id = waypoints.batch)

-- name: doom
-- Note that what a stream held is to be dropped (`purge.sql`).
INSERT INTO doomed (stream, last_batch) VALUES (?, ?)

-- name: note_deletion
INSERT INTO deletions (name, mark) VALUES (?, ?)

-- name: forget_deletions
-- Remember only so many.
DELETE FROM deletions WHERE id <= (SELECT max(id) FROM deletions) - ?

-- name: delete_stream
DELETE FROM streams WHERE id = ?

-- name: delete_tail
DELETE FROM tails WHERE stream = ?

-- name: add_subject (rows)
INSERT INTO subjects (id, kind, name, version, mark, sort, terms, queue, ready, wake_at, quiet, updated_at, due_at,
                      due_since, streams, state)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: move_subject
-- Move a subject on where nothing changes that an index holds: most steps of most runs.
UPDATE subjects SET version = ?, mark = ?, ready = ?, wake_at = ?, quiet = ?, updated_at = ?, streams = ?, state = ?
WHERE id = ?

-- name: put_subject
-- Move a subject on, with what indexes hold.
UPDATE subjects SET version = ?, mark = ?, ready = ?, wake_at = ?, quiet = ?, updated_at = ?, streams = ?, state = ?,
                    queue = ?, terms = ?, lease_owner = ?, lease_until = ?, due_at = ?, due_since = ?, lost = ?
WHERE id = ?

-- name: move_streams
UPDATE subjects SET streams = ? WHERE id = ?

-- name: delete_subject
DELETE FROM subjects WHERE id = ?

-- name: add_subject_term (rows)
INSERT INTO subject_terms (kind, term, sort, subject) VALUES (?, ?, ?, ?)

-- name: drop_subject_term
DELETE FROM subject_terms WHERE kind = ? AND term = ? AND sort = ? AND subject = ?

-- name: add_part (rows)
INSERT INTO parts (id, subject, kind, name, open, sort, terms, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- name: put_part
UPDATE parts SET open = ?, terms = ?, state = ? WHERE id = ?

-- name: drop_part
DELETE FROM parts WHERE id = ?

-- name: parts_of
SELECT id, kind, sort, terms FROM parts WHERE subject = ?

-- name: delete_parts
DELETE FROM parts WHERE subject = ?

-- name: add_part_term (rows)
INSERT INTO part_terms (kind, term, sort, part) VALUES (?, ?, ?, ?)

-- name: drop_part_term
DELETE FROM part_terms WHERE kind = ? AND term = ? AND sort = ? AND part = ?

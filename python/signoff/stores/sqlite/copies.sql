-- What moves all that a file holds to another store, and into a file from one. Each question goes on where the one
-- before it ended, in the order of the table: so a piece costs what it holds, however large the file is.

-- name: subjects_from
SELECT kind, name, version, state, terms, sort, queue, ready, wake_at, quiet, updated_at, streams, epoch, lease_owner,
       lease_until, lost, id, lease_ms
FROM subjects WHERE id > ? ORDER BY id

-- name: parts_from
SELECT parts.kind, parts.name, parts.state, parts.open, parts.terms, parts.sort, subjects.kind, subjects.name, parts.id
FROM parts CROSS JOIN subjects ON subjects.id = parts.subject WHERE parts.id > ? ORDER BY parts.id

-- name: streams_from
-- Streams that are nobody's own; the others come with their subjects.
SELECT heads.id, own, tail, closed, last_batch, path, incarnation, version, content_type, engine, created_at, base,
       last_seq, ttl_s, expires_at, touched_at, refs, deleted, fork_path, fork_incarnation, fork_at, fork_depth,
       compacted, rows_at, closed_by_producer, closed_by_epoch, closed_by_seq
FROM heads WHERE heads.id > ? AND own IS NULL ORDER BY heads.id

-- name: producers_from
SELECT stream, path, producer_id, epoch, seq
FROM producers CROSS JOIN streams ON streams.id = producers.stream
WHERE (stream, producer_id) > (?, ?) ORDER BY stream, producer_id

-- name: rows_from
SELECT stream, path, type, key, position, message
FROM live_rows CROSS JOIN streams ON streams.id = live_rows.stream
WHERE (stream, position) > (?, ?) ORDER BY stream, position

-- name: batches_from
-- Each has a higher number than the one before it in its stream. Those of deleted streams have no stream to join.
SELECT batches.id, path, start, stop, data
FROM batches CROSS JOIN streams ON streams.id = batches.stream WHERE batches.id > ? ORDER BY batches.id

-- name: restore_subject
INSERT INTO subjects (id, kind, name, version, mark, sort, terms, queue, ready, wake_at, quiet, updated_at, due_at,
                      due_since, epoch, lease_owner, lease_until, lease_ms, lost, streams, state)
VALUES (?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '[]', ?)
ON CONFLICT (kind, name) DO NOTHING

-- name: restore_part
INSERT INTO parts (id, subject, kind, name, open, sort, terms, state)
SELECT ?, id, ?, ?, ?, ?, ?, ? FROM subjects WHERE kind = ? AND name = ?
ON CONFLICT (subject, kind, name) DO NOTHING

-- name: restore_producer
INSERT INTO producers (stream, producer_id, epoch, seq) SELECT id, ?, ?, ? FROM streams WHERE path = ?
ON CONFLICT (stream, producer_id) DO NOTHING

-- name: restore_row
INSERT INTO live_rows (stream, position, type, key, message) SELECT id, ?, ?, ?, ? FROM streams WHERE path = ?
ON CONFLICT DO NOTHING

-- name: own_streams
SELECT id, streams FROM subjects WHERE kind = ? AND name = ?

-- name: put_own_streams
UPDATE subjects SET streams = ? WHERE id = ?

-- name: stream_end
-- Where the batches of a stream end so far; of a subject's own that is in its subject's `streams`.
SELECT streams.id, subject, last_batch, distance, subjects.streams
FROM streams LEFT JOIN tails ON tails.stream = streams.id LEFT JOIN subjects ON subjects.id = streams.subject
WHERE path = ?

-- name: last_stop
SELECT stop FROM batches WHERE id = ?

-- name: move_end
UPDATE tails SET last_batch = ?, distance = ? WHERE stream = ?

-- What the writer thread says. Statements marked "rows" are written with as many groups of values as there are rows;
-- updates are not: UPDATE FROM (VALUES …) costs more than one statement a row until there are 64 of them (measured).

-- name: known_streams (rows)
-- Load what is compared of the streams a transaction touches.
SELECT path, id, version, tail, closed, incarnation, rows_at, refs, last_batch, stretch FROM heads WHERE path IN (?)

-- name: known_runs (rows)
-- Load what is compared of the runs a transaction touches, and what its indexes hold.
SELECT run_id, id, journal_tail, epoch, lease_owner, lease_until, status, workflow, created_at, tags, due_at, due_since,
       lost
FROM runs WHERE run_id IN (?)

-- name: known_ledger (rows)
-- Tell which of these ids were accepted before.
WITH asked (run, scope, key) AS (VALUES (?, ?, ?))
SELECT ledger.run_id, ledger.scope, ledger.id FROM asked
CROSS JOIN ledger ON ledger.run_id = asked.run AND ledger.scope = asked.scope AND ledger.id = asked.key

-- name: last_numbers
-- The highest row numbers in use; the writer counts on from there. A deleted stream keeps its number until all it held
-- is gone.
SELECT max(coalesce((SELECT max(id) FROM streams), 0), coalesce((SELECT max(stream) FROM doomed), 0)),
       (SELECT max(id) FROM runs), (SELECT max(id) FROM inputs), (SELECT max(id) FROM batches)

-- name: put_head (rows)
-- Create a stream, or replace what appends leave as it is of its head.
INSERT INTO streams (id, path, incarnation, base, content_type, closed, engine, created_at, ttl_s, expires_at,
                     closed_by_producer, closed_by_epoch, closed_by_seq,
                     fork_path, fork_incarnation, fork_at, fork_depth, refs, deleted, compacted, ends_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
  incarnation = excluded.incarnation, base = excluded.base, content_type = excluded.content_type,
  closed = excluded.closed, engine = excluded.engine, created_at = excluded.created_at, ttl_s = excluded.ttl_s,
  expires_at = excluded.expires_at, closed_by_producer = excluded.closed_by_producer,
  closed_by_epoch = excluded.closed_by_epoch, closed_by_seq = excluded.closed_by_seq,
  fork_path = excluded.fork_path, fork_incarnation = excluded.fork_incarnation, fork_at = excluded.fork_at,
  fork_depth = excluded.fork_depth, refs = excluded.refs, deleted = excluded.deleted, ends_at = excluded.ends_at

-- name: put_tail (rows)
-- Write what appends move of streams that are new, replaced or just appended to. One statement for all, though it
-- costs SQLite as much as one for each: between two statements the thread lets go of the interpreter, and has to wait
-- for it again.
REPLACE INTO tails (stream, version, tail, last_seq, touched_at, last_batch, stretch) VALUES (?, ?, ?, ?, ?, ?, ?)

-- name: move_end (rows)
-- Move the ends of streams with a time to live that were just appended to. One statement for all, for the same reason.
WITH moved (id, ends_at) AS (VALUES (?, ?))
UPDATE streams SET ends_at = moved.ends_at FROM moved WHERE streams.id = moved.id

-- name: move_tail
-- Move the tail of a stream the engine wrote to.
UPDATE tails SET version = ?, tail = ?, last_batch = ?, stretch = ? WHERE stream = ?

-- name: move_closed
-- Tell whether a stream is closed that the engine closed just now.
UPDATE streams SET closed = ? WHERE id = ?

-- name: put_batch (rows)
INSERT INTO batches (id, stream, start, stop, previous, data) VALUES (?, ?, ?, ?, ?, ?)

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
    (SELECT last_batch FROM tails WHERE stream = :stream)
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
INSERT INTO doomed (stream, last_batch) SELECT stream, last_batch FROM tails WHERE stream = ?

-- name: delete_stream
DELETE FROM streams WHERE id = ?

-- name: delete_tail
DELETE FROM tails WHERE stream = ?

-- name: add_run (rows)
INSERT INTO runs (id, run_id, workflow, status, created_at, updated_at, journal_tail, public_tail, ready, wake_at, tags,
                  epoch, lease_owner, lease_until, due_at, due_since, state)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, NULL, ?, ?, ?)

-- name: move_run
-- Move a run on where nothing changes that an index holds: most steps of most runs.
UPDATE runs SET updated_at = ?, journal_tail = ?, public_tail = ?, ready = ?, wake_at = ?, state = ? WHERE id = ?

-- name: put_run
-- Move a run on, with what indexes hold.
UPDATE runs SET updated_at = ?, journal_tail = ?, public_tail = ?, ready = ?, wake_at = ?, state = ?,
                status = ?, tags = ?, lease_owner = ?, lease_until = ?, due_at = ?, due_since = ?, lost = ?
WHERE id = ?

-- name: add_tag
INSERT INTO run_tags (tag, created_at, run) VALUES (?, ?, ?) ON CONFLICT DO NOTHING

-- name: drop_tag
DELETE FROM run_tags WHERE tag = ? AND created_at = ? AND run = ?

-- name: known_input
SELECT id, status, audience, created_at FROM inputs WHERE run_id = ? AND key = ?

-- name: add_input
INSERT INTO inputs (id, run_id, key, status, audience, created_at, deadline, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?)

-- name: put_input
UPDATE inputs SET status = ?, audience = ?, deadline = ?, state = ? WHERE id = ?

-- name: add_audience
INSERT INTO input_audience (principal, status, created_at, input) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING

-- name: drop_audience
DELETE FROM input_audience WHERE principal = ? AND status = ? AND created_at = ? AND input = ?

-- name: add_ledger (rows)
INSERT INTO ledger (run_id, scope, id, digest, outcome) VALUES (?, ?, ?, ?, ?)

-- name: add_wait
INSERT INTO waits (run_id, wait_id, topic, key) VALUES (?, ?, ?, ?) ON CONFLICT (run_id, wait_id) DO NOTHING

-- name: drop_wait
DELETE FROM waits WHERE run_id = ? AND wait_id = ?

-- name: find_batch
-- Look whether a commit of unknown outcome is there.
SELECT data FROM batches WHERE id = ? AND stream = ? AND start = ?

-- name: find_run_state
-- Look whether a commit of unknown outcome is there.
SELECT state FROM runs WHERE id = ? AND journal_tail = ?

-- name: record_version
SELECT version FROM records WHERE kind = ? AND id = ?

-- name: put_record
INSERT INTO records (kind, id, version, due_at, state) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (kind, id) DO UPDATE SET version = excluded.version, due_at = excluded.due_at, state = excluded.state

-- name: delete_record
DELETE FROM records WHERE kind = ? AND id = ?

-- name: find_record
-- Look whether a commit of unknown outcome is there.
SELECT state FROM records WHERE kind = ? AND id = ? AND version = ?

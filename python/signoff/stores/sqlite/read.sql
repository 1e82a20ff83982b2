-- What readers ask.

-- name: head
SELECT id, last_batch, path, incarnation, version, tail, content_type, closed, engine, created_at, base, last_seq, ttl_s,
       expires_at, touched_at, refs, deleted, fork_path, fork_incarnation, fork_at, fork_depth,
       compacted, rows_at, closed_by_producer, closed_by_epoch, closed_by_seq
FROM heads WHERE path = ?

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

-- name: tails (rows)
SELECT path, tail, closed FROM heads WHERE path IN (?) AND deleted = 0

-- name: find_streams (rows)
SELECT path, incarnation, tail FROM heads WHERE path IN (?) AND deleted = 0

-- name: list_streams
-- Streams of one prefix; `end` sorts after everything that begins with it.
SELECT path, incarnation, tail FROM heads
WHERE path > :after AND path >= :prefix AND path < :end AND deleted = 0 ORDER BY path LIMIT :limit

-- name: ended_streams
SELECT path FROM streams WHERE ends_at <= ? ORDER BY ends_at LIMIT ?

-- name: record
SELECT kind, id, version, state, due_at FROM records WHERE kind = ? AND id = ?

-- name: list_records
SELECT kind, id, version, state, due_at FROM records WHERE kind = ? AND id > ? ORDER BY id LIMIT ?

-- name: due_records
SELECT kind, id, version, state, due_at FROM records
WHERE kind = ? AND due_at <= ? ORDER BY due_at, id LIMIT ?

-- name: next_record_due
SELECT min(due_at) FROM records WHERE kind = ? AND due_at IS NOT NULL

-- name: versions (rows)
-- What the watcher compares: a stream that was deleted and made anew is news too.
SELECT path, incarnation, version FROM heads WHERE path IN (?)

-- name: run
SELECT run_id, workflow, status, created_at, updated_at, journal_tail, public_tail, ready, wake_at, tags, state,
       epoch, lease_owner, lease_until, lost
FROM runs WHERE run_id = ?

-- name: inputs_all
SELECT run_id, key, status, audience, created_at, deadline, state FROM inputs WHERE run_id = ? ORDER BY id

-- name: inputs_pending
SELECT run_id, key, status, audience, created_at, deadline, state FROM inputs
WHERE run_id = ? AND status IN ('pending', 'validating') ORDER BY id

-- name: input
SELECT run_id, key, status, audience, created_at, deadline, state FROM inputs WHERE run_id = ? AND key = ?

-- name: ledger
SELECT run_id, scope, id, digest, outcome FROM ledger WHERE run_id = ? AND scope = ? AND id = ?

-- name: waiting
-- Runs that wait for a topic with this key or with no key, in the order they began to wait.
SELECT run_id, id FROM waits WHERE topic = :topic AND key IS NULL
UNION ALL
SELECT run_id, id FROM waits WHERE topic = :topic AND key = :key
ORDER BY id

-- name: list_runs
-- The columns of a page of runs; the conditions are appended.
SELECT run_id, workflow, status, created_at, updated_at, journal_tail, public_tail, ready, wake_at, tags, state,
       epoch, lease_owner, lease_until, lost, id
FROM runs

-- name: list_tagged_runs
-- The same, led by a tag.
SELECT run_id, workflow, status, runs.created_at, updated_at, journal_tail, public_tail, ready, wake_at, tags, state,
       epoch, lease_owner, lease_until, lost, id
FROM run_tags CROSS JOIN runs ON runs.id = run_tags.run

-- name: list_inputs
SELECT run_id, key, status, audience, created_at, deadline, state, id FROM inputs

-- name: list_asked
-- Places of requests asked of one principal; the conditions are appended.
SELECT created_at, input FROM input_audience

-- name: inputs_by_id (rows)
SELECT run_id, key, status, audience, created_at, deadline, state, id FROM inputs WHERE id IN (?)

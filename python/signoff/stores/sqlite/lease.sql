-- Leases: who may advance a subject, and until when.

-- name: due_queues
-- Names of the queues that have something due at any time, by leaps through the index.
WITH RECURSIVE names (name) AS (
  SELECT min(queue) FROM subjects WHERE due_at IS NOT NULL
  UNION ALL
  SELECT (SELECT min(queue) FROM subjects WHERE due_at IS NOT NULL AND queue > names.name)
  FROM names WHERE names.name IS NOT NULL
)
SELECT name FROM names WHERE name IS NOT NULL

-- name: ready_subjects
-- Subjects of one queue that are ready now, the one that has waited longest first.
SELECT due_since, id FROM subjects
WHERE queue = ? AND due_at = 0 AND due_at IS NOT NULL ORDER BY due_since, id LIMIT ?

-- name: timed_subjects
-- Subjects of one queue whose time has come, or whose lease has ended, oldest first.
SELECT due_at, id FROM subjects WHERE queue = ? AND due_at > 0 AND due_at <= ? ORDER BY due_at, due_since, id LIMIT ?

-- name: far_leases
-- Subjects whose lease is further ahead than twice its length.
SELECT queue, id FROM subjects
WHERE lease_until - 2 * lease_ms > ? AND lease_until IS NOT NULL AND due_at IS NOT NULL
ORDER BY lease_until - 2 * lease_ms, id

-- name: next_due
SELECT min(due_at) FROM subjects WHERE queue = ? AND due_at IS NOT NULL

-- name: unclaimed_subjects
-- Subjects of one queue that could have been claimed for a while; quiet ones only if something has come for them.
SELECT kind, name FROM subjects
WHERE queue = ? AND due_at IS NOT NULL AND due_at <= ? AND due_since <= ? AND (ready = 1 OR quiet = 0) AND kind = ?
LIMIT ?

-- name: take_lease
-- Take a lease; epochs only grow. Whose lease was not given up has lost it.
UPDATE subjects SET epoch = epoch + 1, lost = lost + (lease_owner IS NOT NULL AND lease_owner <> ?),
                    lease_owner = ?, lease_until = ?, lease_ms = ?, due_at = ?, due_since = ?
WHERE id = ?
RETURNING kind, name, version, state, terms, sort, queue, ready, wake_at, quiet, updated_at, streams, epoch, lease_owner,
          lease_until, lost

-- name: held_lease
-- Load what renewing or releasing a lease must know, if it is still ours.
SELECT id, queue, ready, wake_at, updated_at FROM subjects WHERE kind = ? AND name = ? AND lease_owner = ? AND epoch = ?

-- name: put_lease
UPDATE subjects SET lease_owner = ?, lease_until = ?, due_at = ?, due_since = ? WHERE id = ?

-- name: make_ready
UPDATE subjects SET ready = 1 WHERE id = ?

-- name: waking
-- Load what decides when a subject is due.
SELECT id, queue, ready, lease_until FROM subjects WHERE kind = ? AND name = ?

-- name: put_wake
UPDATE subjects SET wake_at = ?, due_at = ?, due_since = ? WHERE id = ?

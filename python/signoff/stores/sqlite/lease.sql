-- Leases: who may advance a run, and until when.

-- name: due_workflows
-- Names of the workflows that have runs due at any time, by leaps through the index.
WITH RECURSIVE names (name) AS (
  SELECT min(workflow) FROM runs WHERE due_at IS NOT NULL
  UNION ALL
  SELECT (SELECT min(workflow) FROM runs WHERE due_at IS NOT NULL AND workflow > names.name)
  FROM names WHERE names.name IS NOT NULL
)
SELECT name FROM names WHERE name IS NOT NULL

-- name: ready_runs
-- Runs of one workflow that are ready now, the one that has waited longest first.
SELECT due_since, id FROM runs WHERE workflow = ? AND due_at = 0 AND due_at IS NOT NULL ORDER BY due_since, id LIMIT ?

-- name: timed_runs
-- Runs of one workflow whose time has come, or whose lease has ended, oldest first.
SELECT due_at, id FROM runs WHERE workflow = ? AND due_at > 0 AND due_at <= ? ORDER BY due_at, due_since, id LIMIT ?

-- name: far_leases
-- Runs whose lease is further ahead than twice its length.
SELECT workflow, id FROM runs WHERE lease_until - 2 * lease_ms > ? AND lease_until IS NOT NULL AND due_at IS NOT NULL
ORDER BY lease_until - 2 * lease_ms, id

-- name: next_due
SELECT min(due_at) FROM runs WHERE workflow = ? AND due_at IS NOT NULL

-- name: unclaimed_runs
-- Runs of one workflow that could have been claimed for a while; blocked ones only if something has come for them.
SELECT run_id FROM runs
WHERE workflow = ? AND due_at IS NOT NULL AND due_at <= ? AND due_since <= ? AND (ready = 1 OR status <> 'blocked')
LIMIT ?

-- name: take_lease
-- Take a lease; epochs only grow. Whose lease was not given up has lost it.
UPDATE runs SET epoch = epoch + 1, lost = lost + (lease_owner IS NOT NULL AND lease_owner <> ?),
                lease_owner = ?, lease_until = ?, lease_ms = ?, due_at = ?, due_since = ?
WHERE id = ?
RETURNING run_id, workflow, status, created_at, updated_at, journal_tail, public_tail, ready, wake_at, tags, state,
          epoch, lease_owner, lease_until, lost

-- name: held_lease
-- Load what renewing or releasing a lease must know, if it is still ours.
SELECT id, status, ready, wake_at, updated_at FROM runs WHERE run_id = ? AND lease_owner = ? AND epoch = ?

-- name: put_lease
UPDATE runs SET lease_owner = ?, lease_until = ?, due_at = ?, due_since = ? WHERE id = ?

-- name: make_ready
UPDATE runs SET ready = 1 WHERE id = ?

-- name: put_due
-- Move when a record is due along with leases.
UPDATE records SET due_at = ? WHERE kind = ? AND id = ?

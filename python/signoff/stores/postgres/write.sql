-- What is written one Change at a time, in a transaction that has locked what it is about (`locked.py`).

-- name: begin
SELECT signoff.begin_v1($1)

-- name: seen_subjects
-- What is compared of records, without a lock.
SELECT subjects.kind, subjects.name, version, epoch, lease_owner
FROM signoff.subjects JOIN unnest($1::text[], $2::text[]) AS one (kind, name)
  ON subjects.kind = one.kind AND subjects.name = one.name

-- name: seen_streams
SELECT path, version FROM signoff.heads WHERE path = ANY ($1::text[])

-- name: lock_subjects
SELECT subjects.id FROM signoff.subjects JOIN unnest($1::text[], $2::text[]) AS one (kind, name)
  ON subjects.kind = one.kind AND subjects.name = one.name
ORDER BY subjects.id FOR UPDATE OF subjects

-- name: subjects
SELECT id, kind, name, version, state, terms, sort, queue, ready, wake_at, quiet, updated_at, own, epoch, lease_owner,
       lease_until, lost
FROM signoff.records WHERE id = ANY ($1::bigint[])

-- name: lock_streams
SELECT id FROM signoff.streams WHERE path = ANY ($1::text[]) ORDER BY id FOR UPDATE

-- name: lock_tails
SELECT stream FROM signoff.tails WHERE stream = ANY ($1::bigint[]) ORDER BY stream FOR UPDATE

-- name: streams
SELECT id, path, incarnation, version, own, tail, closed, engine, rows_at, refs, subject
FROM signoff.heads WHERE id = ANY ($1::bigint[])

-- name: create
-- Make streams of applications, each with what is in it, in one round trip: those are returned that were not there.
WITH one AS (
  SELECT * FROM unnest(
    $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::boolean[], $8::boolean[], $9::bigint[],
    $10::bigint[], $11::text[], $12::text[], $13::bigint[], $14::bigint[], $15::text[], $16::text[], $17::bigint[],
    $18::bigint[], $19::bigint[], $20::boolean[], $21::boolean[], $22::bigint[], $23::bigint[], $24::bigint[],
    $25::bigint[], $26::text[], $27::bigint[], $28::text[], $29::bigint[], $30::bigint[]
  ) AS one (
    id, path, incarnation, base, content_type, closed, engine, created_at, ttl_s, expires_at, closed_by_producer,
    closed_by_epoch, closed_by_seq, fork_path, fork_incarnation, fork_at, fork_depth, refs, deleted, compacted,
    ends_at, mark, version, tail, last_seq, touched_at, producer_id, producer_epoch, producer_seq
  )
), made AS (
  INSERT INTO signoff.streams (
    id, path, incarnation, base, content_type, closed, engine, created_at, ttl_s, expires_at, closed_by_producer,
    closed_by_epoch, closed_by_seq, fork_path, fork_incarnation, fork_at, fork_depth, refs, deleted, compacted,
    ends_at, mark
  )
  SELECT id, path, incarnation, base, content_type, closed, engine, created_at, ttl_s, expires_at, closed_by_producer,
         closed_by_epoch, closed_by_seq, fork_path, fork_incarnation, fork_at, fork_depth, refs, deleted, compacted,
         ends_at, mark
  FROM one
  ON CONFLICT (path) DO NOTHING RETURNING id
), their_tails AS (
  INSERT INTO signoff.tails (stream, version, tail, last_seq, touched_at)
  SELECT id, version, tail, last_seq, touched_at FROM one JOIN made USING (id)
), their_batches AS (
  INSERT INTO signoff.batches (stream, start, stop, data, mark)
  SELECT batch.* FROM unnest($31::bigint[], $32::bigint[], $33::bigint[], $34::bytea[], $35::bigint[])
    AS batch (stream, start, stop, data, mark) JOIN made ON made.id = batch.stream
), their_producers AS (
  INSERT INTO signoff.producers (stream, producer_id, epoch, seq)
  SELECT id, producer_id, producer_epoch, producer_seq FROM one JOIN made USING (id) WHERE producer_id IS NOT NULL
)
SELECT id, (SELECT signoff.begin_v1($1)) FROM made

-- name: make_stream
INSERT INTO signoff.streams (id, path, incarnation, base, content_type, closed, engine, created_at, ttl_s, expires_at,
                             closed_by_producer, closed_by_epoch, closed_by_seq,
                             fork_path, fork_incarnation, fork_at, fork_depth, refs, deleted, compacted, ends_at, mark)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)

-- name: put_stream
UPDATE signoff.streams
SET path = $2, incarnation = $3, base = $4, content_type = $5, closed = $6, engine = $7, created_at = $8, ttl_s = $9,
    expires_at = $10, closed_by_producer = $11, closed_by_epoch = $12, closed_by_seq = $13, fork_path = $14,
    fork_incarnation = $15, fork_at = $16, fork_depth = $17, refs = $18, deleted = $19, compacted = $20, ends_at = $21,
    mark = $22
WHERE id = $1

-- name: put_tail
INSERT INTO signoff.tails (stream, version, tail, last_seq, touched_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (stream) DO UPDATE
SET version = excluded.version, tail = excluded.tail, last_seq = excluded.last_seq, touched_at = excluded.touched_at

-- name: put_batch
INSERT INTO signoff.batches (stream, start, stop, mark, data) VALUES ($1, $2, $3, $4, $5)

-- name: put_producer
INSERT INTO signoff.producers (stream, producer_id, epoch, seq) VALUES ($1, $2, $3, $4)
ON CONFLICT (stream, producer_id) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq

-- name: move_refs
-- What forks move of a stream of the engine; its own one's version stands here.
UPDATE signoff.streams SET refs = $2, mark = $3, version = CASE WHEN subject IS NULL THEN NULL ELSE $4::bigint END
WHERE id = $1

-- name: move_version
UPDATE signoff.tails SET version = $2 WHERE stream = $1

-- name: move_own_version
UPDATE signoff.streams SET version = $2 WHERE id = $1

-- name: doom
INSERT INTO signoff.doomed (stream) VALUES ($1) ON CONFLICT DO NOTHING

-- name: delete_tail
DELETE FROM signoff.tails WHERE stream = $1

-- name: delete_stream
DELETE FROM signoff.streams WHERE id = $1

-- name: disown
-- Keep a stream of a subject that goes, for its forks.
UPDATE signoff.streams SET subject = NULL, version = NULL, deleted = true, closed = $2 WHERE id = $1

-- name: delete_subject
SELECT signoff.delete_subject_v1($1)

-- name: note_deletion
SELECT signoff.note_deletion_v1($1, $2, $3)

-- name: clear_rows
DELETE FROM signoff.live_rows WHERE stream = $1

-- name: drop_rows
DELETE FROM signoff.live_rows USING unnest($2::text[], $3::text[]) AS one (type, key)
WHERE live_rows.stream = $1 AND live_rows.type = one.type AND live_rows.key = one.key

-- name: put_rows
INSERT INTO signoff.live_rows (stream, position, type, key, message)
SELECT $1, one.position, one.type, one.key, one.message
FROM unnest($2::bigint[], $3::text[], $4::text[], $5::bytea[]) AS one (position, type, key, message)
ON CONFLICT (stream, type, key) DO UPDATE SET message = excluded.message

-- name: move_rows
UPDATE signoff.streams SET rows_at = $2 WHERE id = $1

-- name: drop_history
DELETE FROM signoff.batches WHERE stream = $1 AND start < $2 AND stop <= $2

-- name: move_base
UPDATE signoff.streams SET base = $2 WHERE id = $1

-- name: post
INSERT INTO signoff.posts (path, count, data) VALUES ($1, $2, $3)

-- name: purge
SELECT signoff.purge_v1($1, $2)

-- name: fence
SELECT signoff.fence_v1($1)

-- name: numbers
SELECT nextval('signoff.stream_numbers') FROM generate_series(1, $1::int)

-- name: place
SELECT placed, paths FROM signoff.place_v1($1, $2, $3)

-- name: claim
SELECT id, kind, name, version, state, terms, sort, queue, ready, wake_at, quiet, updated_at, own, epoch, lease_owner,
       lease_until, lost
FROM signoff.claim_v1($1, $2, $3, $4, $5, $6)

-- name: clock
SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint

-- name: renew
SELECT signoff.renew_v1($1, $2, $3, $4, $5)

-- name: wake
SELECT signoff.wake_v1($1, $2, $3)

-- name: release
SELECT signoff.release_v1($1, $2, $3, $4)

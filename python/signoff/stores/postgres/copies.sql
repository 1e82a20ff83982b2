-- What moves all that a schema holds to another store, and into a schema from one.

-- name: subjects_from
SELECT id, kind, name, version, state, terms, sort, records.queue, ready, wake_at, quiet, updated_at, own, records.epoch,
       records.lease_owner, records.lease_until, lost, agenda.lease_ms
FROM signoff.records LEFT JOIN signoff.agenda ON agenda.subject = records.id
WHERE id > $1 ORDER BY id LIMIT $2

-- name: own_heads
SELECT id, own, tail, closed, path, incarnation, version, content_type, engine, created_at, base, last_seq, ttl_s,
       expires_at, touched_at, refs, deleted, fork_path, fork_incarnation, fork_at, fork_depth, compacted, rows_at,
       closed_by_producer, closed_by_epoch, closed_by_seq, subject
FROM signoff.heads WHERE id = ANY ($1::bigint[])

-- name: parts_from
SELECT parts.id, parts.kind, parts.name, parts.state, parts.open, parts.terms, parts.sort, subjects.kind, subjects.name
FROM signoff.parts JOIN signoff.subjects ON subjects.id = parts.subject
WHERE parts.id > $1 ORDER BY parts.id LIMIT $2

-- name: streams_from
SELECT id, own, tail, closed, path, incarnation, version, content_type, engine, created_at, base, last_seq, ttl_s,
       expires_at, touched_at, refs, deleted, fork_path, fork_incarnation, fork_at, fork_depth, compacted, rows_at,
       closed_by_producer, closed_by_epoch, closed_by_seq, subject
FROM signoff.heads WHERE id > $1 AND subject IS NULL ORDER BY id LIMIT $2

-- name: producers_from
SELECT stream, producer_id, path, epoch, seq
FROM signoff.producers JOIN signoff.streams ON streams.id = producers.stream
WHERE (stream, producer_id) > ($1, $2) ORDER BY stream, producer_id LIMIT $3

-- name: rows_from
SELECT stream, position, path, type, key, message
FROM signoff.live_rows JOIN signoff.streams ON streams.id = live_rows.stream
WHERE (stream, position) > ($1, $2) ORDER BY stream, position LIMIT $3

-- name: batches_from
-- Those of deleted streams have no stream to join.
SELECT stream, start, path, stop, data
FROM signoff.batches JOIN signoff.streams ON streams.id = batches.stream
WHERE (stream, start) > ($1, $2) ORDER BY stream, start LIMIT $3

-- name: restore_subject
INSERT INTO signoff.subjects (id, kind, name, version, mark, sort, terms, queue, ready, wake_at, quiet, updated_at, epoch,
                              lease_owner, lost, own, state)
VALUES ($1, $2, $3, $4, 0, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, '[]', $15)
ON CONFLICT DO NOTHING RETURNING id

-- name: restore_agenda
INSERT INTO signoff.agenda (subject, queue, due_at, due_since, epoch, lease_owner, lease_until, lease_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: restore_subject_terms
INSERT INTO signoff.subject_terms (kind, term, sort, subject) SELECT DISTINCT $1, one, $3::bigint, $4::bigint FROM unnest($2::text[]) AS one

-- name: restore_part
INSERT INTO signoff.parts (id, subject, kind, name, open, sort, terms, state)
SELECT $1, id, $2, $3, $4, $5, $6, $7 FROM signoff.subjects WHERE kind = $8 AND name = $9
ON CONFLICT DO NOTHING RETURNING id

-- name: restore_part_terms
INSERT INTO signoff.part_terms (kind, term, sort, part) SELECT DISTINCT $1, one, $3::bigint, $4::bigint FROM unnest($2::text[]) AS one

-- name: restore_producer
INSERT INTO signoff.producers (stream, producer_id, epoch, seq) SELECT id, $2, $3, $4 FROM signoff.streams WHERE path = $1
ON CONFLICT DO NOTHING

-- name: restore_row
INSERT INTO signoff.live_rows (stream, position, type, key, message)
SELECT id, $2, $3, $4, $5 FROM signoff.streams WHERE path = $1
ON CONFLICT DO NOTHING

-- name: restore_batch
INSERT INTO signoff.batches (stream, start, stop, mark, data) SELECT id, $2, $3, 0, $4 FROM signoff.streams WHERE path = $1
ON CONFLICT DO NOTHING

-- name: has_stream
SELECT 1 FROM signoff.streams WHERE path = $1

-- name: own_streams
SELECT id, own FROM signoff.subjects WHERE kind = $1 AND name = $2

-- name: put_own_streams
UPDATE signoff.subjects SET own = $2 WHERE id = $1

-- name: own_stream
UPDATE signoff.streams SET subject = $2, version = $3 WHERE id = $1

-- name: rank_subjects
-- What is written from now on ranks behind.
SELECT setval('signoff.subject_numbers', greatest($1, (SELECT last_value FROM signoff.subject_numbers)))

-- name: rank_parts
SELECT setval('signoff.part_numbers', greatest($1, (SELECT last_value FROM signoff.part_numbers)))

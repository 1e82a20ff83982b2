-- What readers ask. Each statement sees one moment, and needs no transaction.

-- name: head
SELECT id, own, tail, closed, path, incarnation, version, content_type, engine, created_at, base, last_seq, ttl_s,
       expires_at, touched_at, refs, deleted, fork_path, fork_incarnation, fork_at, fork_depth, compacted, rows_at,
       closed_by_producer, closed_by_epoch, closed_by_seq, subject
FROM signoff.heads WHERE path = $1

-- name: head_and_producer
SELECT heads.id, own, tail, closed, path, incarnation, version, content_type, engine, created_at, base, last_seq, ttl_s,
       expires_at, touched_at, refs, deleted, fork_path, fork_incarnation, fork_at, fork_depth, compacted, rows_at,
       closed_by_producer, closed_by_epoch, closed_by_seq, subject,
       producers.producer_id, producers.epoch, producers.seq
FROM signoff.heads LEFT JOIN signoff.producers ON producers.stream = heads.id AND producers.producer_id = $2
WHERE path = $1

-- name: read
-- A head, and the batches from the one that holds a position on, so many at most.
SELECT heads.id, own, tail, closed, path, incarnation, version, content_type, engine, created_at, base, last_seq, ttl_s,
       expires_at, touched_at, refs, deleted, fork_path, fork_incarnation, fork_at, fork_depth, compacted, rows_at,
       closed_by_producer, closed_by_epoch, closed_by_seq, subject,
       one.starts, one.stops, one.data
FROM signoff.heads CROSS JOIN LATERAL (
  SELECT array_agg(start ORDER BY start) AS starts, array_agg(stop ORDER BY start) AS stops,
         array_agg(found.data ORDER BY start) AS data
  FROM (
    SELECT batches.start, batches.stop, batches.data FROM signoff.batches
    WHERE batches.stream = heads.id AND batches.stop > $2 AND batches.start >= coalesce((
        SELECT first.start FROM signoff.batches AS first
        WHERE first.stream = heads.id AND first.start <= $2 ORDER BY first.start DESC LIMIT 1
      ), 0)
    ORDER BY batches.start LIMIT $3
  ) AS found
) AS one
WHERE path = $1

-- name: read_start
-- The same from the position of the live rows on, with them.
SELECT heads.id, own, tail, closed, path, incarnation, version, content_type, engine, created_at, base, last_seq, ttl_s,
       expires_at, touched_at, refs, deleted, fork_path, fork_incarnation, fork_at, fork_depth, compacted, rows_at,
       closed_by_producer, closed_by_epoch, closed_by_seq, subject,
       one.starts, one.stops, one.data,
       ARRAY(SELECT message FROM signoff.live_rows WHERE stream = heads.id ORDER BY position) AS rows
FROM signoff.heads CROSS JOIN LATERAL (
  SELECT array_agg(start ORDER BY start) AS starts, array_agg(stop ORDER BY start) AS stops,
         array_agg(found.data ORDER BY start) AS data
  FROM (
    SELECT batches.start, batches.stop, batches.data FROM signoff.batches
    WHERE batches.stream = heads.id AND batches.stop > heads.rows_at AND batches.start >= coalesce((
        SELECT first.start FROM signoff.batches AS first
        WHERE first.stream = heads.id AND first.start <= heads.rows_at ORDER BY first.start DESC LIMIT 1
      ), 0)
    ORDER BY batches.start LIMIT $2
  ) AS found
) AS one
WHERE path = $1

-- name: batches
-- The batches of a stream that follow, so many at most.
SELECT start, stop, data FROM signoff.batches WHERE stream = $1 AND start >= $2 ORDER BY start LIMIT $3

-- name: rows_bytes
SELECT coalesce(sum(length(message)), 0)::bigint
FROM signoff.live_rows WHERE stream = (SELECT id FROM signoff.streams WHERE path = $1)

-- name: find_streams
SELECT id, path, incarnation, own, tail, closed FROM signoff.heads WHERE path = ANY ($1::text[]) AND NOT deleted

-- name: list_streams
SELECT id, path, incarnation, own, tail, closed FROM signoff.heads
WHERE path > $2 AND path >= $1 AND starts_with(path, $1) AND path < $3 AND NOT deleted ORDER BY path LIMIT $4

-- name: ended_streams
SELECT path FROM signoff.streams WHERE ends_at <= $1 ORDER BY ends_at, path LIMIT $2

-- name: doomed
SELECT 1 FROM signoff.doomed LIMIT 1

-- name: subject
SELECT id, kind, name, version, state, terms, sort, queue, ready, wake_at, quiet, updated_at, own, epoch, lease_owner,
       lease_until, lost
FROM signoff.records WHERE kind = $1 AND name = $2

-- name: and_parts
-- Parts of the subject, as further rows of `subject`; the condition is appended.
SELECT parts.id, parts.kind, parts.name, NULL, parts.state, parts.terms, parts.sort, NULL, parts.open, NULL, NULL, NULL,
       NULL, NULL, NULL, NULL, NULL
FROM signoff.parts
WHERE parts.subject = (SELECT id FROM signoff.subjects WHERE kind = $1 AND name = $2)

-- name: subject_places
SELECT item.sort, item.id FROM signoff.subjects AS item

-- name: subject_places_by_term
SELECT item.sort, item.id FROM (SELECT kind, term, sort, subject AS id FROM signoff.subject_terms) AS item

-- name: subject_places_having
EXISTS (
  SELECT 1 FROM signoff.subject_terms AS other
  WHERE other.kind = item.kind AND other.term = {} AND other.sort = item.sort AND other.subject = item.id
)

-- name: part_places
SELECT item.sort, item.id FROM signoff.parts AS item

-- name: part_places_by_term
SELECT item.sort, item.id FROM (SELECT kind, term, sort, part AS id FROM signoff.part_terms) AS item

-- name: part_places_having
EXISTS (
  SELECT 1 FROM signoff.part_terms AS other
  WHERE other.kind = item.kind AND other.term = {} AND other.sort = item.sort AND other.part = item.id
)

-- name: subjects_by_place
SELECT records.id, kind, name, version, state, terms, records.sort, queue, ready, wake_at, quiet, updated_at, own, epoch,
       lease_owner, lease_until, lost
FROM ({}) AS place JOIN signoff.records ON records.id = place.id

-- name: parts_by_place
SELECT parts.id, parts.kind, parts.name, parts.state, parts.open, parts.terms, parts.sort, subjects.kind AS owner_kind,
       subjects.name AS owner_name
FROM ({}) AS place JOIN signoff.parts ON parts.id = place.id JOIN signoff.subjects ON subjects.id = parts.subject

-- name: due
-- Subjects of a queue that are due, the earliest first.
SELECT records.id, kind, name, version, state, terms, sort, queue, ready, wake_at, quiet, updated_at, own, epoch,
       lease_owner, lease_until, lost
FROM (
  (SELECT subject, due_since AS since FROM signoff.agenda WHERE queue = $1 AND due_at <= 0
   ORDER BY due_since, subject LIMIT $3)
  UNION ALL
  (SELECT subject, due_at AS since FROM signoff.agenda WHERE queue = $1 AND due_at > 0 AND due_at <= $2
   ORDER BY due_at, subject LIMIT $3)
  ORDER BY since, subject LIMIT $3
) AS found JOIN signoff.records ON records.id = found.subject ORDER BY found.since, found.subject

-- name: next_due
-- The ends of leases are times of the server, so they are shifted to those of whoever asks.
SELECT min(coalesce(
  (SELECT due_at FROM signoff.agenda WHERE queue = names.name AND due_at <= 0 LIMIT 1),
  (SELECT due_at - CASE WHEN lease_until IS NULL THEN 0 ELSE $2::bigint END
   FROM signoff.agenda WHERE queue = names.name AND due_at > 0 ORDER BY due_at LIMIT 1)
)) FROM unnest($1::text[]) AS names (name)

-- name: unclaimed
-- Subjects of a kind that have been due for a while, of other queues than these.
SELECT kind, name FROM (
  SELECT subject FROM signoff.agenda WHERE due_at <= 0 AND due_since <= $3 AND queue <> ALL ($2::text[])
  UNION ALL
  SELECT subject FROM signoff.agenda WHERE due_at > 0 AND due_at <= $3 AND due_since <= $3 AND queue <> ALL ($2::text[])
) AS found JOIN signoff.subjects ON subjects.id = found.subject
WHERE kind = $1 AND (ready OR NOT quiet) LIMIT $4

-- name: unplaced
SELECT count(*) FROM signoff.posts

-- name: made
-- When the schema was made.
SELECT applied_at FROM signoff.versions WHERE number = 1

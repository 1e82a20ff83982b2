-- Subjects with parts and terms take the place of runs, requests, a ledger, waits and records. A run's own two streams
-- have their tails in its record. Marks tell which Change wrote what.

DROP VIEW heads;
ALTER TABLE tails RENAME COLUMN stretch TO distance;
ALTER TABLE streams ADD COLUMN subject INTEGER;
ALTER TABLE streams ADD COLUMN version INTEGER;
ALTER TABLE streams ADD COLUMN mark INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batches ADD COLUMN mark INTEGER NOT NULL DEFAULT 0;

CREATE TABLE deletions (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  mark INTEGER NOT NULL
) STRICT;

CREATE TABLE subjects (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  version INTEGER NOT NULL,
  mark INTEGER NOT NULL,
  sort INTEGER NOT NULL,
  terms TEXT NOT NULL,
  queue TEXT,
  ready INTEGER NOT NULL,
  wake_at INTEGER,
  quiet INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  due_at INTEGER,
  due_since INTEGER,
  epoch INTEGER NOT NULL DEFAULT 0,
  lease_owner TEXT,
  lease_until INTEGER,
  lease_ms INTEGER,
  lost INTEGER NOT NULL DEFAULT 0,
  streams TEXT NOT NULL,
  state BLOB NOT NULL,
  UNIQUE (kind, name)
) STRICT;

UPDATE streams SET subject = runs.id FROM runs
WHERE streams.path IN ('runs/' || runs.run_id, 'runs/' || runs.run_id || '/journal') AND engine AND NOT deleted;
UPDATE streams SET version = tails.version FROM tails WHERE tails.stream = streams.id AND subject IS NOT NULL;
CREATE INDEX own_streams ON streams (subject) WHERE subject IS NOT NULL;

INSERT INTO subjects (id, kind, name, version, mark, sort, terms, queue, ready, wake_at, quiet, updated_at, due_at,
                      due_since, epoch, lease_owner, lease_until, lease_ms, lost, streams, state)
SELECT id, 'run', run_id, max(journal_tail, 1), 0, created_at,
       (SELECT json_group_array(term) FROM (
          SELECT 'workflow/' || workflow AS term
          UNION ALL SELECT 'status/' || status
          UNION ALL SELECT 'workflow/' || workflow || '/status/' || status
          UNION ALL SELECT 'tag/' || value FROM json_each(runs.tags)
       )),
       iif(status IN ('completed', 'cancelled', 'failed'), NULL, workflow),
       ready, wake_at, status = 'blocked', updated_at, due_at, due_since,
       epoch, lease_owner, lease_until, lease_ms, lost,
       (SELECT json_group_array(json_array(id, path, tail, json(iif(closed, 'true', 'false')), last_batch, distance))
        FROM (SELECT streams.id, path, tail, closed, last_batch, distance
              FROM streams JOIN tails ON tails.stream = streams.id WHERE subject = runs.id ORDER BY streams.id)),
       state
FROM runs;

DROP INDEX own_streams;
DELETE FROM tails WHERE stream IN (SELECT id FROM streams WHERE subject IS NOT NULL);
UPDATE streams SET closed = 0 WHERE subject IS NOT NULL AND closed;

INSERT INTO subjects (id, kind, name, version, mark, sort, terms, queue, ready, wake_at, quiet, updated_at, due_at,
                      due_since, streams, state)
SELECT (SELECT coalesce(max(id), 0) FROM runs) + row_number() OVER (ORDER BY kind, id), kind, id, version, 0, 0, '[]',
       'due/' || kind, 0, due_at, 0, 0, due_at, coalesce(due_at, 0), '[]', state
FROM records;
CREATE INDEX subjects_by_kind ON subjects (kind, sort);
CREATE INDEX subjects_due ON subjects (queue, due_at, due_since) WHERE due_at IS NOT NULL;
CREATE INDEX subjects_leased ON subjects (lease_until - 2 * lease_ms) WHERE lease_until IS NOT NULL;

CREATE TABLE subject_terms (
  kind TEXT NOT NULL,
  term TEXT NOT NULL,
  sort INTEGER NOT NULL,
  subject INTEGER NOT NULL,
  PRIMARY KEY (kind, term, sort, subject)
) STRICT, WITHOUT ROWID;
INSERT INTO subject_terms (kind, term, sort, subject)
SELECT DISTINCT kind, value, sort, subjects.id FROM subjects, json_each(terms) ORDER BY 1, 2, 3, 4;

CREATE TABLE parts (
  id INTEGER PRIMARY KEY,
  subject INTEGER NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  open INTEGER NOT NULL,
  sort INTEGER NOT NULL,
  terms TEXT NOT NULL,
  state BLOB NOT NULL,
  UNIQUE (subject, kind, name)
) STRICT;

INSERT INTO parts (id, subject, kind, name, open, sort, terms, state)
SELECT inputs.id, runs.id, 'input', key, inputs.status IN ('pending', 'validating'), inputs.created_at,
       (SELECT json_group_array(term) FROM (
          SELECT 'status/' || inputs.status AS term
          UNION ALL
          SELECT term FROM (
            SELECT key AS place, 1 AS half, 'to/' || value AS term FROM json_each(audience)
            UNION ALL SELECT key, 2, 'to/' || value || '/status/' || inputs.status FROM json_each(audience)
            ORDER BY place, half
          )
       )),
       inputs.state
FROM inputs JOIN runs ON runs.run_id = inputs.run_id;

INSERT INTO parts (id, subject, kind, name, open, sort, terms, state)
SELECT (SELECT coalesce(max(id), 0) FROM parts) + row_number() OVER (ORDER BY runs.id, scope, ledger.id), runs.id,
       'ledger', scope || ' ' || ledger.id, 0, 0, '[]',
       CAST(digest || char(10) || CAST(outcome AS TEXT) AS BLOB)
FROM ledger JOIN runs ON runs.run_id = ledger.run_id;

INSERT INTO parts (id, subject, kind, name, open, sort, terms, state)
SELECT (SELECT coalesce(max(id), 0) FROM parts) + row_number() OVER (ORDER BY waits.id), runs.id, 'wait', wait_id, 0,
       waits.id,
       json_array('topic/' || topic || iif(key IS NULL, '', '/' || lower(hex(substr(CAST(key AS BLOB), 1, 100))))),
       CAST(json_object('topic', topic, 'key', key) AS BLOB)
FROM waits JOIN runs ON runs.run_id = waits.run_id;
CREATE INDEX parts_open ON parts (subject, kind) WHERE open;
CREATE INDEX parts_by_kind ON parts (kind, sort);

CREATE TABLE part_terms (
  kind TEXT NOT NULL,
  term TEXT NOT NULL,
  sort INTEGER NOT NULL,
  part INTEGER NOT NULL,
  PRIMARY KEY (kind, term, sort, part)
) STRICT, WITHOUT ROWID;
INSERT INTO part_terms (kind, term, sort, part)
SELECT DISTINCT kind, value, sort, parts.id FROM parts, json_each(terms) ORDER BY 1, 2, 3, 4;

DROP TABLE run_tags;
DROP TABLE runs;
DROP TABLE input_audience;
DROP TABLE inputs;
DROP TABLE ledger;
DROP TABLE waits;
DROP TABLE records;

CREATE VIEW heads AS
SELECT streams.id, path, incarnation, coalesce(tails.version, streams.version) AS version, tail, base, content_type,
       closed, engine, created_at, touched_at, last_seq, ttl_s, expires_at,
       closed_by_producer, closed_by_epoch, closed_by_seq,
       fork_path, fork_incarnation, fork_at, fork_depth, refs, deleted, compacted, rows_at, last_batch, distance,
       subjects.kind AS subject_kind, subjects.name AS subject_name, subjects.streams AS own
FROM streams
LEFT JOIN tails ON tails.stream = streams.id
LEFT JOIN subjects ON subjects.id = streams.subject;

-- What an append moves lies in a table of its own, and `ends_at` is the end of a stream's life of any kind.

CREATE TABLE tails (
  stream INTEGER PRIMARY KEY,
  version INTEGER NOT NULL,
  tail INTEGER NOT NULL,
  last_seq TEXT,
  touched_at INTEGER NOT NULL,
  last_batch INTEGER,
  stretch INTEGER NOT NULL
) STRICT;
INSERT INTO tails (stream, version, tail, last_seq, touched_at, last_batch, stretch)
SELECT id, version, tail, last_seq, touched_at, last_batch, stretch FROM streams;

DROP INDEX streams_by_end;
UPDATE streams SET ends_at = iif(deleted, NULL, coalesce(ends_at, touched_at + ttl_s * 1000 + ttl_s * 1000 / 16))
WHERE ttl_s IS NOT NULL OR ends_at IS NOT NULL;
ALTER TABLE streams DROP COLUMN version;
ALTER TABLE streams DROP COLUMN tail;
ALTER TABLE streams DROP COLUMN last_seq;
ALTER TABLE streams DROP COLUMN touched_at;
ALTER TABLE streams DROP COLUMN last_batch;
ALTER TABLE streams DROP COLUMN stretch;
CREATE INDEX streams_by_end ON streams (ends_at) WHERE ends_at IS NOT NULL;

CREATE VIEW heads AS
SELECT id, path, incarnation, version, tail, base, content_type, closed, engine, created_at, touched_at, last_seq,
       ttl_s, expires_at, closed_by_producer, closed_by_epoch, closed_by_seq,
       fork_path, fork_incarnation, fork_at, fork_depth, refs, deleted, compacted, rows_at, last_batch, stretch
FROM streams JOIN tails ON tails.stream = streams.id;

-- The schema as it is today. A new file gets this; an older file gets there by migrations/, and a test holds the two
-- against each other. No kind of subject or part is known here.

-- What appends leave as it is of the heads of streams. What a fork has before `fork_at` lies with its source; `refs`
-- counts a stream's forks, for which a `deleted` one is kept. `ends_at` is when the life of a stream is over, as
-- streams/expiry.py reckons it: an append moves it where there is a time to live. `subject` names the one whose own
-- stream this is: then what appends move is in its record (`subjects.streams`) and not in `tails`, `version` is here,
-- and `closed` means nothing. `mark` is that of the last Change that wrote this row.
CREATE TABLE streams (
  id INTEGER PRIMARY KEY,
  path TEXT NOT NULL UNIQUE,
  incarnation TEXT NOT NULL,
  base INTEGER NOT NULL,
  content_type TEXT NOT NULL,
  closed INTEGER NOT NULL,
  engine INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  ttl_s INTEGER,
  expires_at TEXT,
  closed_by_producer TEXT,
  closed_by_epoch INTEGER,
  closed_by_seq INTEGER,
  fork_path TEXT,
  fork_incarnation TEXT,
  fork_at INTEGER,
  fork_depth INTEGER,
  refs INTEGER NOT NULL DEFAULT 0,
  deleted INTEGER NOT NULL DEFAULT 0,
  compacted INTEGER NOT NULL DEFAULT 0,
  rows_at INTEGER NOT NULL DEFAULT 0,
  ends_at INTEGER,
  subject INTEGER,
  version INTEGER,
  mark INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Streams without an end are not in here, and cost nothing.
CREATE INDEX streams_by_end ON streams (ends_at) WHERE ends_at IS NOT NULL;

-- What an append moves of a stream's head, apart from the rest, so that a commit to many streams writes few pages: some
-- hundred of these rows lie in one. `version` is what compare-and-swap compares; `tail` is the position after the last
-- unit; `distance` is how far the last batch is from the last waypoint.
CREATE TABLE tails (
  stream INTEGER PRIMARY KEY,
  version INTEGER NOT NULL,
  tail INTEGER NOT NULL,
  last_seq TEXT,
  touched_at INTEGER NOT NULL,
  last_batch INTEGER,
  distance INTEGER NOT NULL
) STRICT;

-- Heads as they are read. What appends move of a subject's own stream is in `own`, beside that of its others.
CREATE VIEW heads AS
SELECT streams.id, path, incarnation, coalesce(tails.version, streams.version) AS version, tail, base, content_type,
       closed, engine, created_at, touched_at, last_seq, ttl_s, expires_at,
       closed_by_producer, closed_by_epoch, closed_by_seq,
       fork_path, fork_incarnation, fork_at, fork_depth, refs, deleted, compacted, rows_at, last_batch, distance,
       subjects.kind AS subject_kind, subjects.name AS subject_name, subjects.streams AS own
FROM streams
LEFT JOIN tails ON tails.stream = streams.id
LEFT JOIN subjects ON subjects.id = streams.subject;

-- What was appended, one row an append, in order of writing. Each knows the one before it in its stream, and
-- the last is noted beside the tail; so an append touches the end of this table and its stream's tail, and nothing else.
-- An index by stream would make a commit write a page for each stream it touches (measured over 100 streams: a third of
-- the throughput; clustering the rows by stream: less). `mark` is that of the Change; 0: it had none, or what many
-- have posted is here together.
CREATE TABLE batches (
  id INTEGER PRIMARY KEY,
  stream INTEGER NOT NULL,
  start INTEGER NOT NULL,
  stop INTEGER NOT NULL,
  previous INTEGER,
  data BLOB NOT NULL,
  mark INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Where to enter the chain of a stream's batches: one every so many (`distance` measures how far the last is).
CREATE TABLE waypoints (
  stream INTEGER NOT NULL,
  start INTEGER NOT NULL,
  batch INTEGER NOT NULL,
  PRIMARY KEY (stream, start)
) STRICT, WITHOUT ROWID;

-- Streams that were deleted. Their name is free; what they held is still in `batches`, `waypoints`, `live_rows` and
-- `producers` under their number, and goes in pieces (`purge.sql`): dropping gigabytes in one transaction would make
-- every writer wait for it. `last_batch` is the end of the chain as far as it is still there.
CREATE TABLE doomed (
  stream INTEGER PRIMARY KEY,
  last_batch INTEGER
) STRICT;

-- The last deletions, so that one whose outcome was lost can be found out (`find.py`).
CREATE TABLE deletions (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  mark INTEGER NOT NULL
) STRICT;

-- Live rows of compacted streams as of `streams.rows_at`, lying in the order in which readers get them.
CREATE TABLE live_rows (
  stream INTEGER NOT NULL,
  position INTEGER NOT NULL,
  type TEXT NOT NULL,
  key TEXT NOT NULL,
  message BLOB NOT NULL,
  PRIMARY KEY (stream, position)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX live_rows_by_name ON live_rows (stream, type, key);

-- Idempotent producers of application streams.
CREATE TABLE producers (
  stream INTEGER NOT NULL,
  producer_id TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  PRIMARY KEY (stream, producer_id)
) STRICT, WITHOUT ROWID;

-- Records of subjects. `terms` is a JSON array; subject_terms is its index. `streams` is a JSON array with an array for
-- each of its own: number, path, tail, closed, last batch, distance from the last waypoint. `due_at` is when `claim` may
-- find the subject: 0 at once, NULL never, never before the lease ends. `due_since` orders those that are due: since
-- when one has been ready, or when its time came. `mark` is that of the last Change.
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
CREATE INDEX subjects_by_kind ON subjects (kind, sort);
CREATE INDEX subjects_due ON subjects (queue, due_at, due_since) WHERE due_at IS NOT NULL;
-- Leases by the time before which they are too far ahead: the clock was set back. As few as there are runs under way.
CREATE INDEX subjects_leased ON subjects (lease_until - 2 * lease_ms) WHERE lease_until IS NOT NULL;

CREATE TABLE subject_terms (
  kind TEXT NOT NULL,
  term TEXT NOT NULL,
  sort INTEGER NOT NULL,
  subject INTEGER NOT NULL,
  PRIMARY KEY (kind, term, sort, subject)
) STRICT, WITHOUT ROWID;

-- Small documents of subjects. `terms` is a JSON array; part_terms is its index.
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
CREATE INDEX parts_open ON parts (subject, kind) WHERE open;
CREATE INDEX parts_by_kind ON parts (kind, sort);

CREATE TABLE part_terms (
  kind TEXT NOT NULL,
  term TEXT NOT NULL,
  sort INTEGER NOT NULL,
  part INTEGER NOT NULL,
  PRIMARY KEY (kind, term, sort, part)
) STRICT, WITHOUT ROWID;

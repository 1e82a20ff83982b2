-- The schema as it is today. A new file gets this; an older file gets there by migrations/, and a test holds the two
-- against each other. Names are those of the glossary: run, stream, batch, input, ledger, wait.

-- What appends leave as it is of the heads of streams. What a fork has before `fork_at` lies with its source; `refs`
-- counts a stream's forks, for which a `deleted` one is kept. `ends_at` is when the life of a stream is over, as
-- streams/expiry.py reckons it: an append moves it where there is a time to live.
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
  ends_at INTEGER
) STRICT;

-- Streams without an end are not in here, and cost nothing.
CREATE INDEX streams_by_end ON streams (ends_at) WHERE ends_at IS NOT NULL;

-- What an append moves of a stream's head, apart from the rest, so that a commit to many streams writes few pages: some
-- hundred of these rows lie in one. `version` is what compare-and-swap compares; `tail` is the position after the last
-- unit.
CREATE TABLE tails (
  stream INTEGER PRIMARY KEY,
  version INTEGER NOT NULL,
  tail INTEGER NOT NULL,
  last_seq TEXT,
  touched_at INTEGER NOT NULL,
  last_batch INTEGER,
  stretch INTEGER NOT NULL
) STRICT;

-- Heads as they are read.
CREATE VIEW heads AS
SELECT id, path, incarnation, version, tail, base, content_type, closed, engine, created_at, touched_at, last_seq,
       ttl_s, expires_at, closed_by_producer, closed_by_epoch, closed_by_seq,
       fork_path, fork_incarnation, fork_at, fork_depth, refs, deleted, compacted, rows_at, last_batch, stretch
FROM streams JOIN tails ON tails.stream = streams.id;

-- What was appended, one row an append, in order of writing. Each knows the one before it in its stream, and
-- `tails.last_batch` is the last; so an append touches the end of this table and its stream's tail, and nothing else.
-- An index by stream would make a commit write a page for each stream it touches (measured over 100 streams: a third of
-- the throughput; clustering the rows by stream: less).
CREATE TABLE batches (
  id INTEGER PRIMARY KEY,
  stream INTEGER NOT NULL,
  start INTEGER NOT NULL,
  stop INTEGER NOT NULL,
  previous INTEGER,
  data BLOB NOT NULL
) STRICT;

-- Where to enter the chain of a stream's batches: one every so many (`tails.stretch` measures how far the last is).
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

-- The index of runs. `due_at` is when `claim` may find the run: 0 at once, NULL never, never before the lease ends.
-- `due_since` orders those that are due: since when a run has been ready, or when its time came.
CREATE TABLE runs (
  id INTEGER PRIMARY KEY,
  run_id TEXT NOT NULL UNIQUE,
  workflow TEXT NOT NULL,
  status TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  journal_tail INTEGER NOT NULL,
  public_tail INTEGER NOT NULL,
  ready INTEGER NOT NULL,
  wake_at INTEGER,
  tags TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  lease_owner TEXT,
  lease_until INTEGER,
  due_at INTEGER,
  due_since INTEGER,
  state BLOB NOT NULL,
  lost INTEGER NOT NULL DEFAULT 0,
  lease_ms INTEGER
) STRICT;
CREATE INDEX runs_due ON runs (workflow, due_at, due_since) WHERE due_at IS NOT NULL;
-- Leases by the time before which they are too far ahead: the clock was set back. As few as there are runs under way.
CREATE INDEX runs_leased ON runs (lease_until - 2 * lease_ms) WHERE lease_until IS NOT NULL;
CREATE INDEX runs_newest ON runs (created_at);
CREATE INDEX runs_by_workflow ON runs (workflow, created_at);
CREATE INDEX runs_by_status ON runs (status, created_at);
CREATE INDEX runs_by_workflow_status ON runs (workflow, status, created_at);

CREATE TABLE run_tags (
  tag TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  run INTEGER NOT NULL,
  PRIMARY KEY (tag, created_at, run)
) STRICT, WITHOUT ROWID;

-- Requests for input. `audience` is a JSON array; input_audience is its index.
CREATE TABLE inputs (
  id INTEGER PRIMARY KEY,
  run_id TEXT NOT NULL,
  key TEXT NOT NULL,
  status TEXT NOT NULL,
  audience TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  deadline INTEGER,
  state BLOB NOT NULL,
  UNIQUE (run_id, key)
) STRICT;
CREATE INDEX inputs_open ON inputs (run_id) WHERE status IN ('pending', 'validating');
CREATE INDEX inputs_newest ON inputs (created_at);
CREATE INDEX inputs_by_status ON inputs (status, created_at);

CREATE TABLE input_audience (
  principal TEXT NOT NULL,
  status TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  input INTEGER NOT NULL,
  PRIMARY KEY (principal, status, created_at, input)
) STRICT, WITHOUT ROWID;
CREATE INDEX input_audience_any ON input_audience (principal, created_at, input);

-- What was accepted under an id chosen by a client.
CREATE TABLE ledger (
  run_id TEXT NOT NULL,
  scope TEXT NOT NULL,
  id TEXT NOT NULL,
  digest TEXT NOT NULL,
  outcome BLOB NOT NULL,
  PRIMARY KEY (run_id, scope, id)
) STRICT, WITHOUT ROWID;

-- Which runs wait for which event, in the order they began to.
CREATE TABLE waits (
  id INTEGER PRIMARY KEY,
  run_id TEXT NOT NULL,
  wait_id TEXT NOT NULL,
  topic TEXT NOT NULL,
  key TEXT,
  UNIQUE (run_id, wait_id)
) STRICT;
CREATE INDEX waits_by_topic ON waits (topic, key);

-- Documents the server keeps beside the streams: subscriptions, and the keys that sign their webhooks.
CREATE TABLE records (
  kind TEXT NOT NULL,
  id TEXT NOT NULL,
  version INTEGER NOT NULL,
  due_at INTEGER,
  state BLOB NOT NULL,
  PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX records_due ON records (kind, due_at) WHERE due_at IS NOT NULL;

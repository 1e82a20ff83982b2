-- Tables. `signoff.` stands for the schema that the URL names. No kind of subject or part is known here.

-- What appends leave as it is of the heads of streams. What a fork has before `fork_at` lies with its source; `refs`
-- counts a stream's forks, for which a `deleted` one is kept. `ends_at` is when the life of a stream is over, as
-- streams/expiry.py reckons it. `subject` names the one whose own stream this is: then what appends move is in its
-- record (`subjects.own`) and not in `tails`, `version` is here, and `closed` means nothing. `mark` is that of the last
-- Change that wrote this row.
CREATE TABLE signoff.streams (
  id bigint PRIMARY KEY,
  path text COLLATE "C" NOT NULL,
  incarnation text NOT NULL,
  base bigint NOT NULL DEFAULT 0,
  content_type text NOT NULL,
  closed boolean NOT NULL DEFAULT false,
  engine boolean NOT NULL DEFAULT false,
  created_at bigint NOT NULL DEFAULT 0,
  ttl_s bigint,
  expires_at text,
  closed_by_producer text,
  closed_by_epoch bigint,
  closed_by_seq bigint,
  fork_path text,
  fork_incarnation text,
  fork_at bigint,
  fork_depth bigint,
  refs bigint NOT NULL DEFAULT 0,
  deleted boolean NOT NULL DEFAULT false,
  compacted boolean NOT NULL DEFAULT false,
  rows_at bigint NOT NULL DEFAULT 0,
  ends_at bigint,
  subject bigint,
  version bigint,
  mark bigint NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX streams_by_path ON signoff.streams (path);
CREATE INDEX streams_by_end ON signoff.streams (ends_at, path) WHERE ends_at IS NOT NULL;

-- Numbers of streams, a block of 64 at a time: whoever writes knows the number of a new stream before it is there.
CREATE SEQUENCE signoff.stream_numbers INCREMENT BY 64;

-- What an append moves of a stream's head that is nobody's own, in rows that are small and have room beside them.
CREATE TABLE signoff.tails (
  stream bigint PRIMARY KEY,
  version bigint NOT NULL,
  tail bigint NOT NULL,
  last_seq text,
  touched_at bigint NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000);

-- What was appended, one row an append. `mark` is that of the Change; 0: it had none, or it was a post.
CREATE TABLE signoff.batches (
  stream bigint NOT NULL,
  start bigint NOT NULL,
  stop bigint NOT NULL,
  mark bigint NOT NULL,
  data bytea NOT NULL,
  PRIMARY KEY (stream, start)
);

-- Idempotent producers of application streams.
CREATE TABLE signoff.producers (
  stream bigint NOT NULL,
  producer_id text COLLATE "C" NOT NULL,
  epoch bigint NOT NULL,
  seq bigint NOT NULL,
  PRIMARY KEY (stream, producer_id)
) WITH (fillfactor = 70);

-- Live rows of compacted streams as of `streams.rows_at`.
CREATE TABLE signoff.live_rows (
  stream bigint NOT NULL,
  position bigint NOT NULL,
  type text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  message bytea NOT NULL,
  PRIMARY KEY (stream, position)
);
CREATE UNIQUE INDEX live_rows_by_name ON signoff.live_rows (stream, type, key);

-- Streams that were deleted. Their name is free; what they held goes in pieces.
CREATE TABLE signoff.doomed (
  stream bigint PRIMARY KEY
);

-- The last deletions, so that one whose outcome was lost can be found out.
CREATE TABLE signoff.deletions (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL,
  mark bigint NOT NULL
);

-- Records of subjects. `terms` is a JSON array; subject_terms is its index. `own` is a JSON array with an array for each
-- of its own streams: number, path, tail, closed. No column that commits move is indexed, so that they touch no index.
CREATE SEQUENCE signoff.subject_numbers;
CREATE TABLE signoff.subjects (
  id bigint PRIMARY KEY,
  kind text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  sort bigint NOT NULL,
  version bigint NOT NULL,
  mark bigint NOT NULL,
  epoch bigint NOT NULL DEFAULT 0,
  lease_owner text,
  lost bigint NOT NULL DEFAULT 0,
  ready boolean NOT NULL,
  quiet boolean NOT NULL,
  wake_at bigint,
  updated_at bigint NOT NULL,
  queue text,
  terms text NOT NULL,
  own text NOT NULL,
  state bytea NOT NULL
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 5000);
CREATE UNIQUE INDEX subjects_by_name ON signoff.subjects (kind, name);
CREATE INDEX subjects_by_kind ON signoff.subjects (kind, sort, id);

-- Subjects that wait in a queue or have a lease; the others are not in here. `due_at` is when a claim may find one: 0 at
-- once, NULL never, never before the lease ends. `due_since` orders those that are due. `epoch` and `lease_owner` are
-- those of the record: whoever renews looks no further.
CREATE TABLE signoff.agenda (
  subject bigint PRIMARY KEY,
  queue text COLLATE "C",
  due_at bigint,
  due_since bigint,
  epoch bigint NOT NULL,
  lease_owner text,
  lease_until bigint,
  lease_ms bigint
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
CREATE INDEX agenda_ready ON signoff.agenda (queue, due_since, subject) WHERE due_at <= 0;
CREATE INDEX agenda_timed ON signoff.agenda (queue, due_at, subject) WHERE due_at > 0;
CREATE INDEX agenda_leased ON signoff.agenda ((lease_until - 2 * lease_ms)) WHERE lease_until IS NOT NULL;

CREATE TABLE signoff.subject_terms (
  kind text COLLATE "C" NOT NULL,
  term text COLLATE "C" NOT NULL,
  sort bigint NOT NULL,
  subject bigint NOT NULL,
  PRIMARY KEY (kind, term, sort, subject)
);

-- Small documents of subjects. `terms` is a JSON array; part_terms is its index.
CREATE SEQUENCE signoff.part_numbers;
CREATE TABLE signoff.parts (
  id bigint PRIMARY KEY DEFAULT nextval('signoff.part_numbers'),
  subject bigint NOT NULL,
  kind text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  sort bigint NOT NULL,
  open boolean NOT NULL,
  terms text NOT NULL,
  state bytea NOT NULL
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX parts_by_name ON signoff.parts (subject, kind, name);
CREATE INDEX parts_open ON signoff.parts (subject, kind, id) WHERE open;
CREATE INDEX parts_by_kind ON signoff.parts (kind, sort, id);

CREATE TABLE signoff.part_terms (
  kind text COLLATE "C" NOT NULL,
  term text COLLATE "C" NOT NULL,
  sort bigint NOT NULL,
  part bigint NOT NULL,
  PRIMARY KEY (kind, term, sort, part)
);

-- Posts that are committed and not placed yet. Nobody may go on from a number of theirs: numbers are given before commits.
CREATE TABLE signoff.posts (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  path text COLLATE "C" NOT NULL,
  count bigint NOT NULL,
  data bytea NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

-- Sessions that have lost their connection in the middle of a commit. What they sent and has not begun yet is refused,
-- so that whether it is there can be told for good.
CREATE TABLE signoff.lost_sessions (
  id bigint PRIMARY KEY,
  lost_at timestamptz NOT NULL DEFAULT now()
);

-- Subjects as they are read.
CREATE VIEW signoff.records AS
SELECT subjects.id, kind, name, version, state, terms, sort, subjects.queue, ready, wake_at, quiet, updated_at, own,
       subjects.epoch, subjects.lease_owner, agenda.lease_until, lost
FROM signoff.subjects LEFT JOIN signoff.agenda ON agenda.subject = subjects.id;

-- Heads of streams as they are read. What appends move of a subject's own stream is in `own`, beside that of its others.
CREATE VIEW signoff.heads AS
SELECT streams.id, path, incarnation, coalesce(tails.version, streams.version) AS version, tail, base, content_type,
       closed, engine, created_at, touched_at, last_seq, ttl_s, expires_at,
       closed_by_producer, closed_by_epoch, closed_by_seq,
       fork_path, fork_incarnation, fork_at, fork_depth, refs, deleted, compacted, rows_at,
       streams.subject, subjects.own, ends_at, streams.mark
FROM signoff.streams
LEFT JOIN signoff.tails ON tails.stream = streams.id
LEFT JOIN signoff.subjects ON subjects.id = streams.subject;
